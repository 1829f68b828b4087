//! The coverage ledger: when each cluster and kind was really being watched.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::object::kind::Mode;

/// Why watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    Disconnect,
    Quit,
    Sleep,
    Forbidden,
    LoginNeeded,
    Paused,
    DiskFull,
    /// The process died; the end is the last heartbeat.
    Crash,
}

impl EndedBy {
    /// The cause of a gap in words.
    pub fn words(self) -> &'static str {
        match self {
            EndedBy::Disconnect => "API server out of reach",
            EndedBy::Quit => "Afterwatch was not running",
            EndedBy::Sleep => "the laptop slept",
            EndedBy::Forbidden => "no longer permitted",
            EndedBy::LoginNeeded => "login needed",
            EndedBy::Paused => "watching was paused",
            EndedBy::DiskFull => "the disk was full",
            EndedBy::Crash => "Afterwatch was killed",
        }
    }
}

/// One span in which one kind was watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The cluster's name (its context).
    pub cluster: String,
    /// Plural resource name, for example `pods`.
    pub kind: String,
    /// `None`: every namespace.
    pub namespace: Option<String>,
    /// Opened by the first complete list.
    pub from: Timestamp,
    /// The end, or the last moment the stream was provably alive while it is open.
    pub to: Timestamp,
    pub how: Mode,
    /// `None` while the span is open.
    pub ended_by: Option<EndedBy>,
}

/// A kind that could not be read: a gap, never an empty result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    pub cluster: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub reason: UnreadableReason,
    /// The server's or the transport's own words.
    pub message: String,
    pub since: Timestamp,
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadableReason {
    Forbidden,
    /// The API server cannot be reached or answers with errors.
    Unreachable,
    /// The credential plugin wants a person, or the token expired.
    LoginNeeded,
    /// Some objects did not decode and were skipped; the message says how many.
    Malformed,
    /// The context or its kubeconfig entry is broken.
    Misconfigured,
}

/// A span in which nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Timestamp,
    pub cause: EndedBy,
}

/// A span that is open and was not heard of for longer than this has ended: a watch proves its life at least as often.
const SILENT: SignedDuration = SignedDuration::from_secs(130);

/// The gaps that overlap a window: between the spans of one kind, and after the last one. What was read of another
/// namespace only does not count. Time before the first span is not a gap here, since nobody had asked to watch. The
/// last span before the window must be among the spans for a gap that began before it to be known.
pub fn gaps(spans: &[Coverage], kind: &str, namespace: Option<&str>, from: Timestamp, to: Timestamp) -> Vec<Gap> {
    let here = |s: &Coverage| namespace.is_none() || s.namespace.is_none() || s.namespace.as_deref() == namespace;
    let mut own: Vec<&Coverage> = spans.iter().filter(|s| s.kind == kind && s.from < to && here(s)).collect();
    own.sort_by_key(|s| s.from);
    let mut out = Vec::new();
    let mut covered_to: Option<(Timestamp, EndedBy)> = None;
    for span in &own {
        if let Some((end, cause)) = covered_to
            && span.from > end
            && span.from > from
        {
            out.push(Gap { from: end, to: span.from, cause });
        }
        let end = (span.to, span.ended_by.unwrap_or(EndedBy::Disconnect));
        covered_to = Some(covered_to.filter(|(t, _)| *t > end.0).unwrap_or(end));
    }
    let open = own.iter().filter(|s| s.ended_by.is_none()).map(|s| s.to).max();
    if let Some((end, cause)) = covered_to
        && end < to
        && open.is_none_or(|heard| to.duration_since(heard) > SILENT)
    {
        out.push(Gap { from: end, to, cause });
    }
    out
}

/// True when the moment lies inside one of the gaps.
pub fn in_gap(gaps: &[Gap], at: Timestamp) -> bool {
    gaps.iter().any(|g| g.from < at && at < g.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64, ended_by: Option<EndedBy>) -> Coverage {
        Coverage {
            cluster: "dev".into(),
            kind: "pods".into(),
            namespace: None,
            from: Timestamp::from_second(from).unwrap(),
            to: Timestamp::from_second(to).unwrap(),
            how: Mode::Watch,
            ended_by,
        }
    }

    #[test]
    fn the_time_between_two_spans_is_a_gap_with_the_first_ones_end_as_its_cause() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let spans = [span(200, 300, None), span(0, 100, Some(EndedBy::Sleep))];
        let found = gaps(&spans, "pods", None, at(0), at(300));
        assert_eq!(found, vec![Gap { from: at(100), to: at(200), cause: EndedBy::Sleep }]);
        assert!(in_gap(&found, at(150)));
        assert!(!in_gap(&found, at(100)));
        assert!(gaps(&spans, "nodes", None, at(0), at(300)).is_empty());
        // It began before the window, and is told from its beginning.
        assert_eq!(gaps(&spans, "pods", None, at(150), at(300)), found);
    }

    #[test]
    fn what_goes_on_unrecorded_is_a_gap_up_to_the_end_of_the_window() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let gap = |from, to, cause| vec![Gap { from: at(from), to: at(to), cause }];
        let quit = [span(0, 100, Some(EndedBy::Quit))];
        assert_eq!(gaps(&quit, "pods", None, at(0), at(300)), gap(100, 300, EndedBy::Quit));
        assert!(gaps(&[span(0, 250, None)], "pods", None, at(0), at(300)).is_empty(), "it was heard of a moment ago");
        let killed = [span(0, 100, None)];
        assert_eq!(gaps(&killed, "pods", None, at(0), at(300)), gap(100, 300, EndedBy::Disconnect));
    }

    #[test]
    fn a_hole_in_one_namespace_is_not_filled_by_another() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let of = |ns: &str, s: Coverage| Coverage { namespace: Some(ns.into()), ..s };
        let spans = [
            of("shop", span(0, 100, Some(EndedBy::Forbidden))),
            of("shop", span(200, 300, None)),
            of("pay", span(0, 300, None)),
        ];
        let hole = [Gap { from: at(100), to: at(200), cause: EndedBy::Forbidden }];
        assert_eq!(gaps(&spans, "pods", Some("shop"), at(0), at(300)), hole);
        assert!(gaps(&spans, "pods", Some("pay"), at(0), at(300)).is_empty());
    }
}
