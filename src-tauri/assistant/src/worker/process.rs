//! The worker as a process: its lines in and out, its complaints, its end.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use afterwatch_model_protocol::{Ask, FailureKind, Reply, Request, RequestId, Say};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::timeout,
};

/// Bytes of a reply. The longest holds a whole answer.
const LONGEST_LINE: u64 = 8 << 20;
/// Bytes of what it wrote to standard error that are remembered.
const COMPLAINTS: usize = 8 << 10;
/// Replies that may wait here before the worker has to.
const WAITING: usize = 256;
/// What the worker sees of the environment: what programs are started and their libraries found with, and nothing
/// that belongs to the user's work.
const ENVIRONMENT: &[&str] =
    &["PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "SystemRoot", "XDG_RUNTIME_DIR", "VK_ICD_FILENAMES", "VK_DRIVER_FILES"];

pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    replies: mpsc::Receiver<Reply>,
    complaints: Arc<Mutex<Vec<u8>>>,
    /// A request was begun to be written and not ended: the next would not be understood.
    half_said: bool,
    next: RequestId,
}

/// The end of a worker.
#[derive(Default)]
pub(super) struct End {
    /// None where it is not known, or it had to be killed.
    pub status: Option<ExitStatus>,
    /// What it said itself of why.
    pub said: Option<(FailureKind, String)>,
    /// What it wrote to standard error.
    pub complaints: String,
}

impl Process {
    /// Starts the worker. It is killed when this is dropped.
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            // A crash is not to start a debugger.
            .env("GGML_NO_BACKTRACE", "1");
        // No console, and everything else on the computer goes first; elsewhere the worker steps back by itself.
        #[cfg(windows)]
        command.creation_flags(0x0800_0000 | 0x0000_4000);
        let mut child = command.spawn()?;
        let gone = || io::Error::other("its standard streams are missing");
        let stdin = child.stdin.take().ok_or_else(gone)?;
        let stdout = child.stdout.take().ok_or_else(gone)?;
        let stderr = child.stderr.take().ok_or_else(gone)?;
        let (sender, replies) = mpsc::channel(WAITING);
        tokio::spawn(listen(BufReader::new(stdout), sender));
        let complaints = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(remember(stderr, complaints.clone()));
        Ok(Self { child, stdin, replies, complaints, half_said: false, next: 1 })
    }

    /// The process's number.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub(super) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks, and returns the number that replies will carry.
    pub(super) async fn ask(&mut self, ask: Ask) -> io::Result<RequestId> {
        let id = self.next;
        self.next += 1;
        let mut line = serde_json::to_vec(&Request { id, ask })?;
        line.push(b'\n');
        self.half_said = true;
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await?;
        self.half_said = false;
        Ok(id)
    }

    /// Whether a request was begun and not ended.
    pub(super) fn half_said(&self) -> bool {
        self.half_said
    }

    /// The next reply; `None` when the worker has ended, or speaks no sense.
    pub(super) async fn hear(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }

    /// Tells the worker to stop a request, and waits for its word. False when it does not listen.
    pub(super) async fn cancel(&mut self, request: RequestId, grace: Duration) -> bool {
        if self.half_said {
            return false;
        }
        let listens = async {
            self.ask(Ask::Cancel { request }).await.ok()?;
            loop {
                let reply = self.hear().await?;
                if reply.id == request && ends(&reply) {
                    return Some(());
                }
            }
        };
        timeout(grace, listens).await.is_ok_and(|said| said.is_some())
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn kill(mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!("the model's process could not be ended: {error}");
        }
    }

    /// Lets it end by itself, and kills it when it does not.
    pub(super) async fn end(self, grace: Duration) {
        let Self { mut child, stdin, .. } = self;
        // It ends when nobody asks any more.
        drop(stdin);
        if timeout(grace, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }

    /// How it ended, after it said its last, and what it complained of. It may have said why before it could be asked.
    pub(super) async fn ended(mut self) -> End {
        drop(self.stdin);
        let status = match timeout(Duration::from_secs(2), self.child.wait()).await {
            Ok(status) => status.ok(),
            // It closed its output and runs on.
            Err(_) => {
                let _ = self.child.kill().await;
                None
            }
        };
        // Its last words may still be on their way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut said = None;
        while let Ok(Some(reply)) = timeout(Duration::from_millis(200), self.replies.recv()).await {
            // What belongs to an earlier request is late.
            let of_it = reply.id == 0 || reply.id + 1 == self.next;
            if let (true, Say::Failed { kind, message }) = (of_it, reply.say) {
                said = Some((kind, message));
            }
        }
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        End { status, said, complaints: String::from_utf8_lossy(&complaints).trim().to_owned() }
    }
}

/// Whether a reply is the last to its request.
pub(super) fn ends(reply: &Reply) -> bool {
    !matches!(reply.say, Say::Loading { .. } | Say::Reading { .. } | Say::Piece { .. })
}

/// Hands replies over until there are none, or one makes no sense.
async fn listen(mut stdout: impl AsyncBufReadExt + Unpin, replies: mpsc::Sender<Reply>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stdout).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
        match serde_json::from_slice(&line) {
            Ok(reply) => {
                if replies.send(reply).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!("the model's process said something that is no reply: {error}");
                return;
            }
        }
    }
}

/// Keeps the last of what it complains of.
async fn remember(mut stderr: impl AsyncReadExt + Unpin, complaints: Arc<Mutex<Vec<u8>>>) {
    let mut part = [0; 1024];
    while let Ok(n) = stderr.read(&mut part).await {
        if n == 0 {
            return;
        }
        let mut all = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(&part[..n]);
        let surplus = all.len().saturating_sub(COMPLAINTS);
        all.drain(..surplus);
    }
}
