//! Requests, read by a thread of its own so that a cancel is heard while another request is carried out.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use afterwatch_model_protocol::{Ask, FailureKind, Request, RequestId, Say};

use crate::outlet::Outlet;

/// Bytes of a request. The longest prompt that fits into any context is far shorter.
const LONGEST_LINE: u64 = 32 << 20;
/// How long work may go on after standard input has ended.
const AFTER_THE_END: Duration = Duration::from_secs(2);

/// What is asked, in order, and what was cancelled.
pub struct Inbox {
    requests: Receiver<Request>,
    cancelled: Cancelled,
}

/// Which requests were cancelled.
#[derive(Clone, Default)]
pub struct Cancelled(Arc<State>);

#[derive(Default)]
struct State {
    ids: Mutex<BTreeSet<RequestId>>,
    ended: AtomicBool,
    /// The request whose prompt is being read; 0, which nobody asks with, while none is.
    reading: AtomicU64,
}

impl Cancelled {
    /// Whether that request is to stop: it was cancelled, or nobody is there any more.
    pub fn holds(&self, id: RequestId) -> bool {
        self.0.ended.load(Ordering::Relaxed) || self.ids().contains(&id)
    }

    /// That request is to stop, as soon as it is noticed.
    pub fn cancel(&self, id: RequestId) {
        self.ids().insert(id);
    }

    /// Says whose prompt is being read from now on: 0 for nobody's.
    pub fn reads_for(&self, id: RequestId) {
        self.0.reading.store(id, Ordering::Relaxed);
    }

    /// Whether the prompt that is being read need not be read to its end.
    pub fn stops_reading(&self) -> bool {
        let id = self.0.reading.load(Ordering::Relaxed);
        id != 0 && self.holds(id)
    }

    /// Forgets what was cancelled too late. Whoever asks counts upwards.
    pub fn forget_until(&self, id: RequestId) {
        let mut ids = self.ids();
        *ids = ids.split_off(&(id + 1));
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, BTreeSet<RequestId>> {
        self.0.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// Begins to read standard input.
    pub fn open(outlet: &Outlet) -> Self {
        let (sender, requests) = channel();
        let cancelled = Cancelled::default();
        let (ended, outlet) = (cancelled.clone(), outlet.clone());
        thread::spawn(move || {
            read(io::stdin().lock(), &sender, &ended, &outlet);
            // Who asked is gone. What is under way stops at its next step; what does not is stopped.
            ended.0.ended.store(true, Ordering::Relaxed);
            drop(sender);
            thread::sleep(AFTER_THE_END);
            std::process::exit(0);
        });
        Self { requests, cancelled }
    }

    /// The next request; `None` when there is none any more.
    pub fn next(&self) -> Option<Request> {
        self.requests.recv().ok()
    }

    pub fn cancelled(&self) -> &Cancelled {
        &self.cancelled
    }
}

fn read(mut input: impl BufRead, requests: &Sender<Request>, cancelled: &Cancelled, outlet: &Outlet) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE {
            // Where the next request begins cannot be known.
            outlet.say(0, failed(format!("A request is longer than {LONGEST_LINE} bytes.")));
            return;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<Request>(&line) {
            Ok(Request { ask: Ask::Cancel { request }, .. }) => {
                cancelled.cancel(request);
            }
            Ok(request) => {
                if requests.send(request).is_err() {
                    return;
                }
            }
            Err(error) => {
                let id = serde_json::from_slice::<serde_json::Value>(&line).ok().and_then(|v| v.get("id")?.as_u64());
                outlet.say(id.unwrap_or(0), failed(format!("The request could not be understood: {error}")));
            }
        }
    }
}

fn failed(message: String) -> Say {
    Say::Failed { kind: FailureKind::Protocol, message }
}
