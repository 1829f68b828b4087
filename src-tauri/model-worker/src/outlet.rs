//! Replies, one line each.

use std::io::{self, Write};

use afterwatch_model_protocol::{Reply, RequestId, Say};

/// Standard output. Everybody who replies has one.
#[derive(Clone)]
pub struct Outlet(());

impl Outlet {
    pub fn new() -> Self {
        Self(())
    }

    /// Writes a reply. When nobody reads any more the process ends: whatever it does is for nobody.
    pub fn say(&self, id: RequestId, say: Say) {
        let mut line = serde_json::to_vec(&Reply { id, say }).expect("replies are plain data");
        line.push(b'\n');
        let mut out = io::stdout().lock();
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            std::process::exit(1);
        }
    }
}
