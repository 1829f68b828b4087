use std::time::{Duration, Instant};

use afterwatch_model_protocol::{Ask, Say};

use crate::talk::{ENDLESS, SHORT, Worker, generate, long_text};

/// Asks, waits for a word that satisfies, cancels, and says how long the end took.
fn cancelled_after(worker: &mut Worker, ask: Ask, word: impl Fn(&Say) -> bool) -> Duration {
    let id = worker.ask(ask);
    while !word(&worker.hear().expect("the worker ended").say) {}
    worker.ask(Ask::Cancel { request: id });
    let began = Instant::now();
    let (last, _) = worker.answer(id);
    assert_eq!(last, Some(Say::Cancelled));
    began.elapsed()
}

#[test]
fn a_cancel_is_heard_while_the_prompt_is_read() {
    let mut worker = Worker::with_tiny(32_768);
    let ask = Ask::Generate(Box::new(generate(long_text(600), None, 100)));
    let took =
        cancelled_after(&mut worker, ask, |say| matches!(say, Say::Reading { done, all } if *done > 0 && done < all));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let next = worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40))));
    assert!(matches!(next, Say::Generated(_)), "{next:?}");
}

#[test]
fn a_cancel_is_heard_while_it_is_written() {
    let mut worker = Worker::with_tiny(32_768);
    let ask = Ask::Generate(Box::new(generate("Why?", Some(ENDLESS), 30_000)));
    let took = cancelled_after(&mut worker, ask, |say| matches!(say, Say::Piece { .. }));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let next = worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40))));
    assert!(matches!(next, Say::Generated(_)), "{next:?}");
}

#[test]
fn a_request_can_be_cancelled_while_it_waits() {
    let mut worker = Worker::with_tiny(32_768);
    let first = worker.ask(Ask::Generate(Box::new(generate("Why?", Some(ENDLESS), 30_000))));
    let second = worker.ask(Ask::Generate(Box::new(generate("Why?", Some(ENDLESS), 30_000))));
    worker.ask(Ask::Cancel { request: second });
    worker.ask(Ask::Cancel { request: first });
    assert_eq!(worker.answer(first).0, Some(Say::Cancelled));
    let (last, before) = worker.answer(second);
    assert_eq!((last, before.len()), (Some(Say::Cancelled), 0));
}

#[test]
fn a_cancel_that_comes_too_late_stops_nothing_else() {
    let mut worker = Worker::with_tiny(1024);
    let id = worker.ask(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40))));
    assert!(matches!(worker.answer(id).0, Some(Say::Generated(_))));
    worker.ask(Ask::Cancel { request: id });
    let next = worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40))));
    assert!(matches!(next, Say::Generated(_)), "{next:?}");
}

#[test]
fn it_ends_when_nobody_asks_any_more_even_in_the_middle() {
    let mut worker = Worker::with_tiny(32_768);
    worker.ask(Ask::Generate(Box::new(generate("Why?", Some(ENDLESS), 30_000))));
    while !matches!(worker.hear().unwrap().say, Say::Piece { .. }) {}
    let (status, took) = worker.leave();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}
