//! What the worker takes from the computer, read from outside.

use afterwatch_model_protocol::{Ask, Say};

use crate::talk::{SHORT, Worker, generate, load, tiny};

#[cfg(target_os = "linux")]
fn proc(worker: &Worker, file: &str) -> String {
    let path = format!("/proc/{}/{file}", worker.child.id());
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

#[test]
#[cfg(target_os = "linux")]
fn the_environment_cannot_make_it_load_a_library() {
    let mut worker = Worker::start_with(|command| {
        command
            .env("GGML_BACKEND_PATH", "/nowhere/evil.so")
            .env("LLAMA_ARG_MODEL", "x")
            .env_remove("GGML_NO_BACKTRACE");
    });
    worker.load(load(tiny(), 512)).unwrap();
    let environment = proc(&worker, "environ");
    assert!(!environment.contains("GGML_BACKEND_PATH") && !environment.contains("LLAMA_ARG"), "{environment}");
    assert!(environment.contains("GGML_NO_BACKTRACE=1"), "{environment}");
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn it_asks_for_large_pages_unless_somebody_decided() {
    let environment = |set: Option<&str>| {
        let mut worker = Worker::start_with(|command| {
            command.env_remove("GLIBC_TUNABLES");
            if let Some(set) = set {
                command.env("GLIBC_TUNABLES", set);
            }
        });
        worker.asks(Ask::Info);
        proc(&worker, "environ")
    };
    assert!(environment(None).contains("GLIBC_TUNABLES=glibc.malloc.hugetlb=1"));
    // The loader divides what it reads there by zeros.
    let both = environment(Some("glibc.malloc.check=0"));
    assert!(both.contains("GLIBC_TUNABLES=glibc.malloc.check=0") && both.contains("glibc.malloc.hugetlb=1"));
    assert!(!environment(Some("glibc.malloc.hugetlb=0")).contains("glibc.malloc.hugetlb=1"));
}

#[test]
#[cfg(target_os = "linux")]
fn it_lets_others_go_first_leaves_no_core_and_its_memory_is_bounded() {
    let mut worker = Worker::start();
    let limit = |worker: &Worker, name: &str| {
        let limits = proc(worker, "limits");
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    worker.asks(Ask::Info);
    let before = limit(&worker, "Max address space");
    worker.load(load(tiny(), 512)).unwrap();
    let bound: u64 =
        limit(&worker, "Max address space").parse().unwrap_or_else(|_| panic!("{before} and still unbounded"));
    assert!(bound < 3 << 30, "{bound}");
    assert_eq!(limit(&worker, "Max core file size"), "0");
    let stat = proc(&worker, "stat");
    let nice: i32 = stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap();
    assert!(nice >= 10, "{stat}");
}

#[test]
#[cfg(target_os = "linux")]
fn it_opens_nothing_but_the_model() {
    let mut worker = Worker::with_tiny(512);
    worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40))));
    let open = std::fs::read_dir(format!("/proc/{}/fd", worker.child.id()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|target| !target.to_string_lossy().starts_with("pipe:") && target != std::path::Path::new("/dev/null"))
        .collect::<Vec<_>>();
    assert!(open.is_empty(), "the model is read and closed, and there is no socket: {open:?}");
}

#[test]
fn the_header_promises_at_least_what_the_model_takes() {
    let mut worker = Worker::start();
    let resident = |worker: &mut Worker| match worker.asks(Ask::Info) {
        Say::Info(info) => info.rss_bytes,
        other => panic!("{other:?}"),
    };
    let empty = resident(&mut worker);
    worker.load(load(tiny(), 32_768)).unwrap();
    worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40))));
    let takes = resident(&mut worker).saturating_sub(empty);
    let header = afterwatch_model_protocol::gguf::read(&tiny()).unwrap();
    assert!(takes <= header.memory_bytes(32_768), "{takes} and {}", header.memory_bytes(32_768));
}

#[test]
fn a_line_that_is_no_request_is_answered_and_the_next_one_too() {
    let mut worker = Worker::start();
    for (line, id) in [("nonsense", 0), (r#"{"id":41,"ask":"dance"}"#, 41), (r#"{"id":42}"#, 42), ("[]", 0)] {
        worker.write(line);
        let reply = worker.hear().unwrap();
        assert_eq!(reply.id, id);
        assert!(matches!(reply.say, Say::Failed { .. }), "{reply:?}");
    }
    worker.write("");
    assert!(matches!(worker.asks(Ask::Info), Say::Info(_)));
}

#[test]
#[cfg(target_os = "linux")]
fn a_model_that_finds_no_memory_is_a_sentence_and_the_worker_goes_on() {
    use afterwatch_model_protocol::FailureKind;

    // The tiny model, claiming to hold four million tokens at once: a gigabyte of context.
    let mut file = std::fs::read(tiny()).unwrap();
    let key = b"qwen2.context_length";
    let at = file.windows(key.len()).position(|bytes| bytes == key).unwrap() + key.len() + 4;
    file[at..at + 4].copy_from_slice(&4_000_000_u32.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let hungry = folder.path().join("hungry.gguf");
    std::fs::write(&hungry, file).unwrap();

    let mut worker = Worker::start_as({
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 500000; exec \"$0\""]).arg(crate::talk::program());
        shell
    });
    let said = worker.load(load(hungry, 4_000_000)).map_err(|say| *say).unwrap_err();
    let Say::Failed { kind: FailureKind::Memory, message } = said else { panic!("{said:?}") };
    assert!(message.contains("about 1.1 GB") && message.contains("smaller model"), "{message}");
    worker.load(load(tiny(), 512)).unwrap();
    assert!(matches!(worker.asks(Ask::Generate(Box::new(generate("Why?", Some(SHORT), 40)))), Say::Generated(_)));
}
