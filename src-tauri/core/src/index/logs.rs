//! The logs that were read, as many as there is room for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::OnceLock,
};

use jiff::Timestamp;

use crate::{
    logs::{self, Reading},
    observation::{LogRead, LogWant},
};

/// Logs kept at most: two of each container where a thousand fail at once.
const KEPT: usize = 2_000;
/// Bytes of text kept at most. A log alone has at most 512 KiB.
const BYTES: usize = 32 << 20;

/// The logs, each with what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    kept: BTreeMap<LogWant, Log>,
    /// Which of them are of a pod, by its uid.
    by_pod: HashMap<String, BTreeSet<LogWant>>,
    bytes: usize,
}

/// A log, and what it says: read once, when it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// When it was read, and when that was last tried.
    pub at: Timestamp,
    pub tried: Timestamp,
    /// The run that wrote it went on then, as far as was known.
    pub running: bool,
    pub read: LogRead,
    said: OnceLock<Reading>,
    bytes: usize,
}

impl Log {
    fn new(read: LogRead, at: Timestamp, running: bool) -> Log {
        let bytes = read.lines.as_ref().map_or_else(String::len, |lines| lines.iter().map(String::len).sum());
        Log { at, tried: at, running, read, said: OnceLock::new(), bytes }
    }

    /// What it says, if it could be read.
    pub fn said(&self) -> Option<&Reading> {
        let lines = self.read.lines.as_ref().ok()?;
        Some(self.said.get_or_init(|| logs::read(lines).of(&self.read.want.pod.name)))
    }
}

impl Logs {
    /// Keeps a log. Room is made by the logs of pods that are gone, then by those of containers with a newer one, then
    /// by the oldest. Returns the uids of the pods whose logs were forgotten.
    pub fn keep(&mut self, read: LogRead, at: Timestamp, running: bool, lives: impl Fn(&str) -> bool) -> Vec<String> {
        let mut forgotten = Vec::new();
        let want = read.want.clone();
        // What could not be read again was read before.
        if let Some(before) = self.kept.get_mut(&want).filter(|l| l.read.lines.is_ok() && read.lines.is_err()) {
            (before.tried, before.running) = (at, running);
            return forgotten;
        }
        let log = Log::new(read, at, running);
        self.bytes += log.bytes;
        self.by_pod.entry(uid(&want).to_owned()).or_default().insert(want.clone());
        if let Some(before) = self.kept.insert(want.clone(), log) {
            self.bytes -= before.bytes;
        }
        while self.kept.len() > KEPT || self.bytes > BYTES {
            let others = self.kept.iter().filter(|(w, _)| **w != want);
            let first = others.min_by_key(|(w, log)| (lives(uid(w)), !self.has_newer(w), log.at));
            let Some(first) = first.map(|(w, _)| w.clone()) else { break };
            self.forget(&first);
            forgotten.push(uid(&first).to_owned());
        }
        forgotten
    }

    fn forget(&mut self, want: &LogWant) {
        if let Some(log) = self.kept.remove(want) {
            self.bytes -= log.bytes;
        }
        if let Some(left) = self.by_pod.get_mut(uid(want)) {
            left.remove(want);
            if left.is_empty() {
                self.by_pod.remove(uid(want));
            }
        }
    }

    /// A log of a later run of the same container could be read.
    fn has_newer(&self, want: &LogWant) -> bool {
        self.of(uid(want), &want.container).any(|l| l.read.want.restart > want.restart && l.read.lines.is_ok())
    }

    /// The logs of a container.
    pub fn of<'a>(&'a self, pod_uid: &str, container: &str) -> impl Iterator<Item = &'a Log> {
        let wants = self.by_pod.get(pod_uid).into_iter().flatten();
        wants.filter(move |want| want.container == container).filter_map(|want| self.kept.get(want))
    }

    pub fn get(&self, want: &LogWant) -> Option<&Log> {
        self.kept.get(want)
    }

    /// How much is kept.
    pub fn entries(&self) -> usize {
        self.kept.len() + self.by_pod.values().map(BTreeSet::len).sum::<usize>()
    }
}

fn uid(want: &LogWant) -> &str {
    want.pod.uid.as_deref().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Kind, ObjectRef};

    fn log(pod: usize, restart: u32, bytes: usize) -> LogRead {
        let mut reference = ObjectRef::missing(Kind::Pod, Some("shop"), &format!("web-{pod}"));
        reference.uid = Some(format!("uid-{pod}"));
        let want = LogWant { pod: reference, container: "app".into(), previous: false, restart };
        LogRead { want, lines: Ok(vec!["x".repeat(bytes)]), truncated: false, later: None }
    }

    fn of(logs: &Logs, pod: usize) -> Vec<u32> {
        logs.of(&format!("uid-{pod}"), "app").map(|l| l.read.want.restart).collect()
    }

    #[test]
    fn what_is_gone_or_overtaken_makes_room_and_the_words_of_each_container_stay() {
        let at = |n: usize| Timestamp::from_second(n as i64).unwrap();
        let mut logs = Logs::default();
        // A thousand containers end three times each; the last pod is gone.
        for restart in 0..3 {
            for pod in 0..1000 {
                let when = at(restart * 1000 + pod);
                logs.keep(log(pod, restart as u32, 100), when, false, |uid| uid != "uid-999");
            }
        }
        assert_eq!(logs.kept.len(), KEPT);
        for pod in 0..999 {
            assert_eq!(of(&logs, pod).last(), Some(&2), "pod {pod} has {:?}", of(&logs, pod));
        }
        assert_eq!(logs.bytes, 100 * KEPT);
        // Long logs are bounded by their bytes; the one that came last is always kept.
        for pod in 0..300 {
            logs.keep(log(pod, 3, 256 << 10), at(9000 + pod), false, |_| true);
            assert!(logs.bytes <= BYTES && of(&logs, pod).contains(&3));
        }
        assert_eq!(logs.bytes, logs.kept.values().map(|l| l.bytes).sum::<usize>());
        assert_eq!(logs.entries(), 2 * logs.kept.len());
    }
}
