//! Speaks with a worker over its lines.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use afterwatch_model_protocol::{Ask, Generate, Load, Message, ModelInfo, Reply, Request, RequestId, Role, Say};

/// No test waits longer for a word.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_afterwatch-model").into()
}

pub fn tiny() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/fixture/tiny.gguf")
}

pub struct Worker {
    pub child: Child,
    stdin: Option<ChildStdin>,
    replies: Receiver<Reply>,
    next: RequestId,
}

impl Worker {
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub fn start_with(change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(program());
        change(&mut command);
        Self::start_as(command)
    }

    /// Starts it by a command of another kind.
    pub fn start_as(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, replies) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let reply = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if sender.send(reply).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, replies, next: 1 }
    }

    /// A worker with the tiny model in memory.
    pub fn with_tiny(context: u32) -> Self {
        let mut worker = Self::start();
        worker.load(load(tiny(), context)).unwrap();
        worker
    }

    pub fn write(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Asks without waiting.
    pub fn ask(&mut self, ask: Ask) -> RequestId {
        let id = self.next;
        self.next += 1;
        self.write(&serde_json::to_string(&Request { id, ask }).unwrap());
        id
    }

    /// The next word; `None` when the worker has ended.
    pub fn hear(&mut self) -> Option<Reply> {
        match self.replies.recv_timeout(PATIENCE) {
            Ok(reply) => Some(reply),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(_) => panic!("the worker says nothing"),
        }
    }

    /// The last word to a request, and those before it.
    pub fn answer(&mut self, id: RequestId) -> (Option<Say>, Vec<Say>) {
        let mut before = Vec::new();
        while let Some(reply) = self.hear() {
            assert_eq!(reply.id, id, "{reply:?}");
            match reply.say {
                Say::Loading { .. } | Say::Reading { .. } | Say::Piece { .. } => before.push(reply.say),
                last => return (Some(last), before),
            }
        }
        (None, before)
    }

    pub fn asks(&mut self, ask: Ask) -> Say {
        let id = self.ask(ask);
        self.answer(id).0.expect("the worker ended")
    }

    pub fn load(&mut self, load: Load) -> Result<ModelInfo, Box<Say>> {
        match self.asks(Ask::Load(load)) {
            Say::Loaded(model) => Ok(model),
            other => Err(Box::new(other)),
        }
    }

    /// Closes its standard input, and waits for its end.
    pub fn leave(&mut self) -> (ExitStatus, Duration) {
        self.stdin = None;
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "the worker does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn load(path: PathBuf, context: u32) -> Load {
    Load {
        path: path.to_string_lossy().into_owned(),
        context,
        threads: 1,
        gpu_layers: 0,
        prefix_cache: None,
        sha256: None,
    }
}

pub fn say(role: Role, text: impl Into<String>) -> Message {
    Message { role, text: text.into() }
}

pub fn generate(question: impl Into<String>, grammar: Option<&str>, max_tokens: u32) -> Generate {
    Generate {
        messages: vec![say(Role::System, "You word what was recorded."), say(Role::User, question)],
        fixed: 1,
        grammar: grammar.map(Into::into),
        max_tokens,
        temperature: 0.8,
        seed: 7,
    }
}

/// A grammar without an end.
pub const ENDLESS: &str = r#"root ::= "word " root"#;
/// A short JSON text.
pub const SHORT: &str = r#"root ::= "{\"text\":\"" [a-z ]{1,20} "\"}""#;

/// Text of a few thousand tokens, in the fixture's own words.
pub fn long_text(lines: usize) -> String {
    (0..lines)
        .map(|n| format!("Container checkout was killed for exceeding its {n}Mi memory limit {n} times at 02:{n}.\n"))
        .collect()
}
