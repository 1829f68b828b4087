use afterwatch_model_protocol::{Ask, FailureKind, Say};

use crate::talk::{SHORT, Worker, generate, load, tiny};

#[test]
fn a_model_is_loaded_with_progress_and_says_what_it_is() {
    let mut worker = Worker::start();
    let id = worker.ask(Ask::Load(load(tiny(), 2048)));
    let (last, before) = worker.answer(id);
    let Some(Say::Loaded(model)) = last else { panic!("{last:?}") };
    assert_eq!(model.name.as_deref(), Some("Afterwatch fixture"));
    assert_eq!(model.architecture, "qwen2");
    assert_eq!((model.context, model.trained_context), (2048, 32_768));
    assert_eq!(model.parameters, 139_840);
    let done = before
        .iter()
        .map(|say| match say {
            Say::Loading { done } => *done,
            other => panic!("{other:?}"),
        })
        .collect::<Vec<_>>();
    assert!(done.is_sorted() && done.last() == Some(&1.0), "{done:?}");
}

#[test]
fn a_context_larger_than_the_model_was_trained_for_is_cut_to_it() {
    let mut worker = Worker::start();
    assert_eq!(worker.load(load(tiny(), 1_000_000)).unwrap().context, 32_768);
}

#[test]
fn what_is_asked_before_a_model_is_there_is_refused() {
    let mut worker = Worker::start();
    for ask in [Ask::Generate(Box::new(generate("Why?", None, 5))), Ask::Tokenise { texts: vec![] }] {
        let said = worker.asks(ask);
        assert!(matches!(said, Say::Failed { kind: FailureKind::NotLoaded, .. }), "{said:?}");
    }
    let Say::Info(info) = worker.asks(Ask::Info) else { panic!() };
    assert_eq!(info.model, None);
    assert_eq!(info.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn another_model_takes_the_place_of_the_first() {
    let mut worker = Worker::with_tiny(512);
    assert_eq!(worker.load(load(tiny(), 1024)).unwrap().context, 1024);
    let Say::Info(info) = worker.asks(Ask::Info) else { panic!() };
    assert_eq!(info.model.unwrap().context, 1024);
    assert!(matches!(worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 64)))), Say::Generated(_)));
}

#[test]
fn unloading_gives_the_memory_back() {
    let mut worker = Worker::start();
    let resident = |worker: &mut Worker| match worker.asks(Ask::Info) {
        Say::Info(info) => info.rss_bytes,
        other => panic!("{other:?}"),
    };
    // Eight megabytes of context, which is most of what this model takes.
    worker.load(load(tiny(), 32_768)).unwrap();
    let held = resident(&mut worker);
    assert_eq!(worker.asks(Ask::Unload), Say::Unloaded);
    let after = resident(&mut worker);
    if cfg!(target_os = "linux") {
        assert!(held > after + (8 << 20), "{held} and then {after}");
    }
    let said = worker.asks(Ask::Generate(Box::new(generate("Why?", None, 5))));
    assert!(matches!(said, Say::Failed { kind: FailureKind::NotLoaded, .. }), "{said:?}");
}

#[test]
fn a_file_that_is_not_there_is_a_sentence() {
    let mut worker = Worker::start();
    let said = worker.load(load("/nowhere/model.gguf".into(), 512)).map_err(|say| *say).unwrap_err();
    let Say::Failed { kind: FailureKind::Unfit, message } = said else { panic!("{said:?}") };
    assert!(message.contains("could not be read") && message.ends_with('.'), "{message}");
}
