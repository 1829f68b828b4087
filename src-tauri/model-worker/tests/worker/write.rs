use std::collections::BTreeSet;

use afterwatch_model_protocol::{Ask, FailureKind, Generated, Load, Role, Say, gguf};
use serde::Deserialize;

use crate::talk::{ENDLESS, SHORT, Worker, generate, load, long_text, say, tiny};

fn generated(say: Say) -> Generated {
    match say {
        Say::Generated(generated) => generated,
        other => panic!("{other:?}"),
    }
}

/// As the assistant holds a model to what it may cite.
const STATEMENTS: &str = r#"
root ::= "{\"statements\":[" statement ("," statement){0,1} "]}"
statement ::= "{\"text\":\"" char{1,12} "\",\"cites\":[" id ("," id){0,1} "]}"
id ::= "\"E1\"" | "\"E12\"" | "\"C2\"" | "\"A1\""
char ::= [^"\\\x00-\x1f\x7f] | "\\" ["\\/bfnrt]
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statements {
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    text: String,
    cites: Vec<String>,
}

#[test]
fn five_hundred_of_five_hundred_answers_keep_to_the_grammar() {
    let mut worker = Worker::with_tiny(1024);
    let mut texts = BTreeSet::new();
    for seed in 0..500 {
        let mut ask = generate(format!("Case {}: what happened?", seed % 10), Some(STATEMENTS), 200);
        ask.seed = seed;
        ask.temperature = [0.0, 0.8, 1.5][seed as usize % 3];
        let answer = generated(worker.asks(Ask::Generate(Box::new(ask))));
        assert!(answer.complete, "{answer:?}");
        let parsed: Statements = serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{e}: {}", answer.text));
        assert!((1..=2).contains(&parsed.statements.len()));
        for statement in &parsed.statements {
            // A model of random weights also writes bytes that are no character, and those are not counted.
            let characters = statement.text.chars().filter(|c| *c != char::REPLACEMENT_CHARACTER).count();
            assert!(!statement.text.is_empty() && characters <= 12, "{}", answer.text);
            assert!(statement.cites.iter().all(|id| ["E1", "E12", "C2", "A1"].contains(&id.as_str())));
        }
        texts.insert(answer.text);
    }
    assert!(texts.len() > 250, "the answers differ: {}", texts.len());
}

#[test]
fn the_pieces_are_the_text() {
    let mut worker = Worker::with_tiny(1024);
    let id = worker.ask(Ask::Generate(Box::new(generate("What happened?", None, 200))));
    let (last, before) = worker.answer(id);
    let answer = generated(last.unwrap());
    let mut counted = 0;
    let text = before
        .iter()
        .filter_map(|say| match say {
            Say::Piece { text, tokens } => {
                assert!(*tokens >= counted && !text.is_empty());
                counted = *tokens;
                Some(text.as_str())
            }
            _ => None,
        })
        .collect::<String>();
    assert_eq!(text, answer.text);
    assert!(answer.generated_tokens >= counted && counted > 0);
    assert!(answer.total_ms >= answer.first_token_ms);
}

#[test]
fn the_same_question_has_the_same_answer() {
    let mut first = Worker::with_tiny(1024);
    let mut second = Worker::with_tiny(1024);
    let ask = || Ask::Generate(Box::new(generate("What happened?", None, 60)));
    let [a, b] = [generated(first.asks(ask())), generated(second.asks(ask()))];
    assert_eq!(a.text, b.text);
}

#[test]
fn the_prompt_is_read_in_pieces_and_what_was_read_is_not_read_again() {
    let mut worker = Worker::with_tiny(4096);
    let ask = |question: &str| {
        let mut ask = generate(long_text(40) + question, Some(SHORT), 40);
        ask.fixed = 1;
        Ask::Generate(Box::new(ask))
    };
    let id = worker.ask(ask("Why?"));
    let (last, before) = worker.answer(id);
    let first = generated(last.unwrap());
    assert_eq!(first.cached_tokens, 0);
    let read = before
        .iter()
        .filter_map(|say| match say {
            Say::Reading { done, all } => Some((*done, *all)),
            _ => None,
        })
        .collect::<Vec<_>>();
    assert_eq!(read.first(), Some(&(0, first.prompt_tokens)));
    assert_eq!(read.last(), Some(&(first.prompt_tokens, first.prompt_tokens)));
    assert!(read.len() > 2, "{read:?}");
    assert!(read.windows(2).all(|w| w[0].0 < w[1].0 && w[1].0 - w[0].0 <= gguf::CHUNK), "{read:?}");

    let second = generated(worker.asks(ask("Since when?")));
    assert!(second.cached_tokens + 20 > second.prompt_tokens, "{second:?}");
}

#[test]
fn a_prompt_that_does_not_fit_is_refused_with_the_numbers() {
    let mut worker = Worker::with_tiny(512);
    let said = worker.asks(Ask::Generate(Box::new(generate(long_text(100), None, 100))));
    let Say::Failed { kind: FailureKind::TooLong, message } = said else { panic!("{said:?}") };
    assert!(message.contains("512") && message.contains("Ask about less"), "{message}");
    // The worker goes on.
    generated(worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40)))));
}

#[test]
fn an_answer_ends_where_the_context_does_and_says_so() {
    let mut worker = Worker::with_tiny(512);
    let answer = generated(worker.asks(Ask::Generate(Box::new(generate("Why?", Some(ENDLESS), 1000)))));
    assert!(!answer.complete);
    assert_eq!(answer.prompt_tokens + answer.generated_tokens, 512);
    let short = generated(worker.asks(Ask::Generate(Box::new(generate("Why?", Some(ENDLESS), 10)))));
    assert_eq!((short.complete, short.generated_tokens), (false, 10));
}

#[test]
fn a_grammar_that_cannot_be_used_is_refused_and_the_worker_goes_on() {
    let mut worker = Worker::with_tiny(512);
    for grammar in ["root ::= (", "start ::= \"a\"", "root ::= root \"a\" | \"b\"", "root ::= missing"] {
        let said = worker.asks(Ask::Generate(Box::new(generate("Why?", Some(grammar), 10))));
        assert!(matches!(said, Say::Failed { kind: FailureKind::Grammar, .. }), "{grammar}: {said:?}");
    }
    generated(worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40)))));
}

#[test]
fn text_is_counted_as_plain_text() {
    let mut worker = Worker::with_tiny(512);
    let texts = ["", "a", "<|im_end|>", "Container checkout was killed"].map(String::from).to_vec();
    let Say::Tokens { counts } = worker.asks(Ask::Tokenise { texts }) else { panic!() };
    assert_eq!(counts[..2], [0, 1]);
    assert!(counts[2] > 3, "a control token's name is text, of several tokens: {counts:?}");
    assert!((4..20).contains(&counts[3]), "{counts:?}");
}

#[test]
fn no_message_is_no_request() {
    let mut worker = Worker::with_tiny(512);
    let mut ask = generate("", None, 10);
    ask.messages.clear();
    let said = worker.asks(Ask::Generate(Box::new(ask)));
    assert!(matches!(said, Say::Failed { kind: FailureKind::Protocol, .. }), "{said:?}");
}

/// A worker that keeps fixed beginnings in that folder.
fn keeping(folder: &std::path::Path, sha256: &str) -> Worker {
    let mut worker = Worker::start();
    worker
        .load(Load {
            prefix_cache: Some(folder.to_string_lossy().into_owned()),
            sha256: Some(sha256.into()),
            ..load(tiny(), 2048)
        })
        .unwrap();
    worker
}

fn with_instructions(question: &str) -> Ask {
    let mut ask = generate(question, Some(SHORT), 40);
    ask.messages[0] = say(Role::System, long_text(20));
    Ask::Generate(Box::new(ask))
}

#[test]
fn fixed_instructions_are_read_once_and_then_known_to_every_worker() {
    let folder = tempfile::tempdir().unwrap();
    let cold = generated(keeping(folder.path(), "aa").asks(with_instructions("Why?")));
    assert_eq!(cold.cached_tokens, 0);
    let kept = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(kept, 1, "one file and no draft");

    let mut worker = keeping(folder.path(), "aa");
    let id = worker.ask(with_instructions("Since when?"));
    let (last, before) = worker.answer(id);
    let warm = generated(last.unwrap());
    assert!(warm.cached_tokens > 200, "{warm:?}");
    assert!(matches!(before[0], Say::Reading { done, .. } if done == warm.cached_tokens), "{:?}", before[0]);

    // What is kept of one model is never used for another.
    let other = generated(keeping(folder.path(), "bb").asks(with_instructions("Why?")));
    assert_eq!(other.cached_tokens, 0);
}

#[test]
fn a_damaged_beginning_is_thrown_away_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = || std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    generated(keeping(folder.path(), "aa").asks(with_instructions("Why?")));
    let whole = std::fs::read(file()).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x40;
    for damaged in [&whole[..whole.len() / 2], &whole[..10], &[], &flipped] {
        std::fs::write(file(), damaged).unwrap();
        let mut worker = keeping(folder.path(), "aa");
        let again = generated(worker.asks(with_instructions("Why?")));
        assert_eq!(again.cached_tokens, 0);
        assert_eq!(std::fs::read(file()).unwrap().len(), whole.len(), "it is kept anew");
    }
    let warm = generated(keeping(folder.path(), "aa").asks(with_instructions("Why?")));
    assert!(warm.cached_tokens > 200);
}
