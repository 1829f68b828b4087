//! Who writes, what is shown while it is written, and what stands in the end.

use std::sync::{Arc, Mutex};

use afterwatch_assistant::{Assistant, ModelInUse, exam, exam::Verdict, generator::Generator, offered, plain};
use afterwatch_core::{
    port::{
        Model,
        model::{ModelPhase, Progress, Step},
    },
    writing::{Author, By, Case, Section, Standing, Task, Writing},
};

use crate::fake::Scripted;

#[derive(Default)]
struct Steps(Mutex<Vec<Step>>);

impl Progress for Steps {
    fn step(&self, step: Step) {
        self.0.lock().expect("steps").push(step);
    }
}

fn case(name: &str) -> Case {
    exam::papers().iter().find(|p| p.name == name).unwrap_or_else(|| panic!("no paper {name}")).case()
}

fn memory() -> Case {
    case("memory-limit-without-change")
}

fn with(generator: Scripted, verdict: Option<Verdict>) -> (Assistant, Arc<Scripted>) {
    let generator = Arc::new(generator);
    let model = ModelInUse {
        name: "small-model".to_owned(),
        server: None,
        generator: Arc::clone(&generator) as Arc<dyn Generator>,
        verdict,
    };
    (Assistant::new(Some(model)), generator)
}

async fn write(assistant: &Assistant, case: &Case, task: Task) -> (Writing, Vec<Step>) {
    let steps = Steps::default();
    let writing = assistant.write(case, task, By::Model, &steps).await.expect("it is written");
    (writing, steps.0.into_inner().expect("steps"))
}

fn ask(question: &str) -> Task {
    Task::Ask { question: question.to_owned(), earlier: Vec::new() }
}

const TRUE: &str = r#"{"statements":[{"text":"Container app was killed six times for exceeding 192Mi.","cites":["E1"]},{"text":"It is not over.","cites":["T"]}]}"#;

#[tokio::test]
async fn a_models_words_come_as_plain_text_and_stand_when_they_are_tied() {
    let (assistant, generator) = with(Scripted::new(&[TRUE]), None);
    let (writing, steps) = write(&assistant, &memory(), ask("Why?")).await;
    assert_eq!(writing.author, Author::Model { name: "small-model".to_owned(), server: None });
    assert_eq!(writing.tied(), 2, "{:?}", writing.statements);
    assert_eq!(writing.statements[0].cites, ["E1"]);
    assert!(writing.statements[1].cites.is_empty(), "the timeline has no id of its own");
    let words: String = steps
        .iter()
        .filter_map(|step| match step {
            Step::Words { more, .. } => Some(more.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(words, "Container app was killed six times for exceeding 192Mi. It is not over.");
    assert!(steps.iter().any(|s| matches!(s, Step::Reading { items, .. } if *items > 2)), "{steps:?}");
    let figures = writing.figures.expect("figures");
    assert_eq!((figures.first_token_ms, figures.tokens_per_second), (300, 25.0));
    assert_eq!(assistant.state().phase, ModelPhase::Ready);
    assert_eq!(generator.prompts()[0].fixed, 1);
}

#[tokio::test]
async fn without_a_model_the_rules_write_and_say_why() {
    let assistant = Assistant::new(None);
    let (writing, _) = write(&assistant, &memory(), Task::Advise).await;
    assert_eq!(writing.author, Author::Rules);
    assert!(writing.instead.expect("a reason").contains("Settings, Models"));
    assert!(!writing.actions.is_empty());
    let by_rules = assistant.write(&memory(), Task::Advise, By::Rules, &Steps::default()).await.expect("rules");
    assert_eq!(by_rules.instead, None, "nobody asked for a model");
}

#[tokio::test]
async fn what_is_mostly_untrue_gives_way_to_the_rules() {
    let lies = r#"{"statements":[{"text":"A DNS failure caused it.","cites":["E1"]},{"text":"It died 40 times.","cites":["E1"]},{"text":"It is not over.","cites":["T"]}]}"#;
    let (assistant, _) = with(Scripted::new(&[lies]), Some(Verdict::Good));
    let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
    assert_eq!(writing.author, Author::Rules);
    assert!(writing.instead.as_deref().expect("a reason").contains("2 of 3"), "{:?}", writing.instead);
    assert!(writing.statements.iter().all(|s| !s.text.contains("DNS")));
}

#[tokio::test]
async fn one_wrong_sentence_among_true_ones_is_shown_as_such() {
    let mixed = r#"{"statements":[{"text":"Container app was killed for exceeding 192Mi.","cites":["E1"]},{"text":"It recovered.","cites":["T"]},{"text":"It is not over.","cites":["T"]}]}"#;
    let (assistant, _) = with(Scripted::new(&[mixed]), None);
    let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
    assert_eq!(writing.tied(), 2);
    assert!(matches!(writing.statements[1].standing, Standing::Struck(_)), "{:?}", writing.statements[1]);
}

#[tokio::test]
async fn not_established_is_an_answer() {
    let none = r#"{"statements":[{"text":"Not established from what was recorded.","cites":[]}]}"#;
    let (assistant, _) = with(Scripted::new(&[none]), None);
    let (writing, _) = write(&assistant, &memory(), ask("Which team owns it?")).await;
    assert!(matches!(writing.author, Author::Model { .. }), "it is not taken for a failure");
    assert_eq!(writing.statements[0].text, plain::NOT_ESTABLISHED);
    assert!(matches!(writing.statements[0].standing, Standing::NotEstablished(_)));
}

#[tokio::test]
async fn a_cut_output_keeps_its_whole_sentences_and_rubbish_gives_way() {
    let (assistant, _) = with(Scripted::new(&[&TRUE[..TRUE.len() - 20], "%%%", ""]), None);
    let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
    assert_eq!(writing.statements.len(), 1, "{writing:?}");
    for _ in 0..2 {
        let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
        assert_eq!(writing.author, Author::Rules);
        assert!(writing.instead.is_some());
    }
}

#[tokio::test]
async fn a_model_that_dies_halfway_hands_over_the_words_so_far() {
    let generator = Scripted { breaks: Some("The model ran out of memory.".to_owned()), ..Scripted::new(&[TRUE]) };
    let (assistant, _) = with(generator, None);
    let case = memory();
    let error = assistant.write(&case, ask("Why?"), By::Model, &Steps::default()).await.expect_err("it broke");
    assert!(error.so_far.starts_with("Container app was killed"), "{}", error.so_far);
    assert!(!error.so_far.contains(['{', '"']), "{}", error.so_far);
    assert_eq!(assistant.state().phase, ModelPhase::Unusable);
    assert_eq!(assistant.state().problem.as_deref(), Some("The model ran out of memory."));
}

#[tokio::test]
async fn a_model_that_cannot_begin_leaves_the_rules_text() {
    let generator =
        Scripted { unusable: Some("The file is damaged. Import it again.".to_owned()), ..Scripted::new(&[]) };
    let (assistant, _) = with(generator, None);
    let (writing, _) = write(&assistant, &memory(), Task::Section(Section::Summary)).await;
    assert_eq!(writing.author, Author::Rules);
    assert_eq!(writing.instead.as_deref(), Some("The file is damaged. Import it again."));
    let (assistant, _) = with(Scripted { context: 512, ..Scripted::new(&[TRUE]) }, None);
    let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
    assert!(writing.instead.expect("a reason").contains("512 tokens"));
}

#[tokio::test]
async fn advice_names_offered_steps_once_each_and_a_good_model_orders_them() {
    let steps = r#"{"steps":[{"action":"A2","text":"An image that exists helps for good.","cites":["E1"]},{"action":"A9","text":"Delete the cluster.","cites":["E1"]},{"action":"A1","text":"The container waits for its image.","cites":["E1"]},{"action":"A2","text":"Again.","cites":["E1"]}]}"#;
    for (verdict, order) in [(Some(Verdict::Good), ["A2", "A1"]), (None, ["A1", "A2"])] {
        let (assistant, generator) = with(Scripted::new(&[steps]), verdict);
        let case = case("image-unauthorised");
        let (writing, _) = write(&assistant, &case, Task::Advise).await;
        assert_eq!(writing.actions, order, "{writing:?}");
        assert_eq!(writing.statements.len(), 2);
        for (action, statement) in writing.actions.iter().zip(&writing.statements) {
            assert!(statement.cites.contains(action), "{statement:?}");
        }
        let grammar = &generator.prompts()[0].grammar;
        assert!(grammar.contains("A1") && grammar.contains("A2") && !grammar.contains("A9"));
    }
}

#[tokio::test]
async fn an_unsuited_model_does_not_word_advice_but_answers_questions() {
    let (assistant, generator) = with(Scripted::new(&[TRUE]), Some(Verdict::Unsuited));
    let (writing, _) = write(&assistant, &memory(), Task::Advise).await;
    assert_eq!(writing.author, Author::Rules);
    assert!(writing.instead.expect("a reason").contains("unsuited"));
    assert!(generator.prompts().is_empty());
    let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
    assert!(matches!(writing.author, Author::Model { .. }));
}

#[tokio::test]
async fn the_model_may_change_while_it_runs() {
    let (assistant, _) = with(Scripted::new(&[TRUE]), None);
    assistant.choose(None);
    assert_eq!(assistant.state().phase, ModelPhase::None);
    let (writing, _) = write(&assistant, &memory(), ask("Why?")).await;
    assert_eq!(writing.author, Author::Rules);
}

#[tokio::test]
async fn the_exam_counts_what_is_valid_tied_caught_and_right() {
    let papers: Vec<_> = exam::papers().into_iter().filter(|p| p.name.starts_with("memory-limit")).collect();
    let advice = r#"{"steps":[{"action":"A1","text":"The container needs more than 192Mi.","cites":["A1"]}]}"#;
    let answer = r#"{"statements":[{"text":"It died 99 times.","cites":["E1"]}]}"#;
    let seen = Mutex::new(Vec::new());
    let outcome = exam::run(&Scripted::new(&[advice, answer]), &papers, &|done| seen.lock().expect("seen").push(done))
        .await
        .expect("it can be used");
    assert_eq!((outcome.incidents, outcome.outputs, outcome.valid), (1, 2, 2), "{outcome:?}");
    assert_eq!((outcome.statements, outcome.tied, outcome.caught), (2, 1, 1), "{outcome:?}");
    assert_eq!((outcome.advised, outcome.right_first), (1, 1));
    assert_eq!(outcome.verdict(), Verdict::Unsuited, "half of what it says is wrong");
    assert!(outcome.sentence().contains("The rules write the advice"));
    assert_eq!(seen.into_inner().expect("seen").len(), 1);
    let broken = Scripted { unusable: Some("No memory.".to_owned()), ..Scripted::new(&[]) };
    assert_eq!(exam::run(&broken, &papers, &|_| {}).await.expect_err("unusable"), "No memory.");
}

#[test]
fn the_thresholds_of_the_verdicts_hold() {
    let outcome = |valid, tied, right| exam::Outcome {
        outputs: 100,
        valid,
        statements: 100,
        tied,
        advised: 100,
        right_first: right,
        ..exam::Outcome::default()
    };
    for (outcome, verdict) in [
        (outcome(98, 85, 80), Verdict::Good),
        (outcome(97, 85, 80), Verdict::Usable),
        (outcome(98, 85, 79), Verdict::Usable),
        (outcome(90, 60, 0), Verdict::Usable),
        (outcome(89, 100, 100), Verdict::Unsuited),
        (outcome(100, 59, 100), Verdict::Unsuited),
    ] {
        assert_eq!(outcome.verdict(), verdict, "{outcome:?}");
    }
}

#[test]
fn the_rules_write_every_section_and_the_check_agrees_with_them() {
    use afterwatch_assistant::check::{Checker, Draft};
    let (mut all, mut flagged) = (0, Vec::new());
    for paper in exam::papers() {
        let case = paper.case();
        let checker = Checker::new(&case);
        let sections = Section::ALL.map(Task::Section);
        for task in sections.into_iter().chain([Task::Advise]) {
            let writing = plain::write(&case, &task);
            assert!(!writing.statements.is_empty(), "{}: {task:?}", paper.name);
            if task == Task::Advise && !offered(&case).is_empty() {
                assert_eq!(writing.actions.len(), writing.statements.len(), "{}", paper.name);
            }
            for statement in writing.statements.iter().filter(|s| s.standing == Standing::Tied) {
                assert!(statement.text.ends_with(['.', '…', '!', '?']), "{}", statement.text);
                let mut cites = statement.cites.clone();
                cites.push("T".to_owned());
                all += 1;
                let judged = checker.check(&Draft { text: statement.text.clone(), cites });
                if judged.standing != Standing::Tied {
                    flagged.push(format!("{} {task:?}: {} — {:?}", paper.name, statement.text, judged.standing));
                }
            }
        }
    }
    println!("{} of {all} of the rules' own statements flagged:\n{}", flagged.len(), flagged.join("\n"));
    assert!(flagged.len() * 50 <= all, "{} of {all}", flagged.len());
}
