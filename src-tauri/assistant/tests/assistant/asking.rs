//! Questions that are answered without a model.

use afterwatch_assistant::{exam, plain};
use afterwatch_core::writing::{Case, Standing, Task};

fn case(name: &str) -> Case {
    exam::papers().iter().find(|p| p.name == name).unwrap_or_else(|| panic!("no paper {name}")).case()
}

fn answer(case: &Case, question: &str) -> String {
    let writing = plain::write(case, &Task::Ask { question: question.to_owned(), earlier: Vec::new() });
    writing.statements.iter().map(|s| format!("{} {}", s.text, s.cites.join(" "))).collect::<Vec<_>>().join("\n")
}

#[test]
fn common_questions_are_understood_in_different_words() {
    let case = case("out-of-memory-after-release");
    for (questions, words) in [
        (
            &["What broke?", "what is wrong", "What happened here?", "summarise the incident"][..],
            &["thumbnails in rec-photos", "E1"][..],
        ),
        (
            &["Why did it break?", "what's the root cause", "What caused this?", "what was the reason?"],
            &["64Mi", "E8", "Established"],
        ),
        (&["Since when?", "When did it start?", "when did this begin?"], &["19:34:15"]),
        (
            &["What changed just before?", "was there a deploy before it, a recent change?", "what was the trigger?"],
            &["helm", "256Mi", "C1"],
        ),
        (
            &["What should I do?", "How can I fix it?", "next steps?", "what do you recommend"],
            &["resources of Deployment", "A2"],
        ),
        (&["What was ruled out?", "what can we rule out", "what has been eliminated?"], &["node-1", "E3"]),
        (&["Is it over?", "is it fixed", "are we ok", "Has it recovered?"], &["19:34:54", "C2"]),
        (&["Who did it?", "who changed the limit?"], &["field manager", "C1"]),
        (
            &["What was the impact?", "how bad is it", "were users affected?"],
            &["not established", "no request metrics"],
        ),
        (&["How long did it last?", "what was the duration?"], &["39 s"]),
        (&["What is not known?", "what are the open questions?", "what don't we know"], &["Who made the change"]),
        (&["Was everything recorded?", "are there gaps?"], &["No gap"]),
        (&["How was it detected?", "was anybody notified?"], &["container-oom-killed"]),
    ] {
        for question in questions {
            let said = answer(&case, question);
            for word in words {
                assert!(said.contains(word), "{question}: {word} is not in\n{said}");
            }
        }
    }
}

#[test]
fn other_questions_are_looked_up_in_the_record() {
    let case = case("environment-variable-missing");
    for (question, words) in [
        ("Which exit code?", &["exit code 1", "E1"][..]),
        ("is STRIPE_KEY set?", &["STRIPE_KEY", "E2"]),
        ("did node-a have memory pressure?", &["node-a", "E3"]),
        ("what do the logs say?", &["STRIPE_KEY", "E2"]),
        ("which image does it run?", &["registry.test/invoicer:1", "E1"]),
    ] {
        let said = answer(&case, question);
        for word in words {
            assert!(said.contains(word), "{question}: {word} is not in\n{said}");
        }
    }
}

#[test]
fn what_was_not_recorded_is_not_answered() {
    let case = case("environment-variable-missing");
    for question in ["What is the weather in Berlin?", "which Kafka topic lags?", "xyzzy", "", "???"] {
        let task = Task::Ask { question: question.to_owned(), earlier: Vec::new() };
        let writing = plain::write(&case, &task);
        assert_eq!(writing.statements[0].text, plain::NOT_ESTABLISHED, "{question}");
        assert!(matches!(writing.statements[0].standing, Standing::NotEstablished(_)));
    }
}

#[test]
fn gaps_are_told_and_an_open_incident_is_not_called_over() {
    let case = case("broken-while-nobody-watched");
    assert!(answer(&case, "was it recorded the whole time?").contains("Not recorded"));
    assert!(answer(&case, "is it over?").contains("not over"));
    assert!(answer(&case, "what is not known?").contains("Not recorded"));
}

#[test]
fn going_back_is_not_advised_once_it_is_over() {
    let case = case("out-of-memory-after-release");
    assert!(case.incident.actions.iter().any(|a| a.id == "A1"), "it was offered while it hurt");
    assert_eq!(plain::write(&case, &Task::Advise).actions, ["A2"]);
}
