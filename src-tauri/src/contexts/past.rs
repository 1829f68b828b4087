//! What was recorded of a cluster before this run.

use std::{collections::BTreeMap, time::Duration};

use afterwatch_core::{Timestamp, coverage::Coverage, port::StoreError};
use afterwatch_engine::Engine;
use jiff::SignedDuration;

/// What was read is used again this long.
pub const HOLDS: Duration = Duration::from_secs(60);

/// The page shows this much.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// Where the last span before that is looked for first: further back only when nothing lies in here.
const NEAR: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The spans the page shows.
///
/// # Errors
/// When the history cannot be read.
pub async fn read(engine: &Engine, cluster: &str, now: Timestamp) -> Result<Vec<Coverage>, StoreError> {
    let ago = |span| now.checked_sub(span).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut spans = engine.coverage(cluster, ago(NEAR), now).await?;
    if spans.is_empty() {
        spans = engine.coverage(cluster, Timestamp::UNIX_EPOCH, now).await?;
    }
    Ok(shown(spans, ago(SHOWN)))
}

/// The spans that reach into the time shown, and of each kind the last one before it: from its end on nothing was
/// recorded, and that is not the same as never having been watched.
fn shown(spans: Vec<Coverage>, since: Timestamp) -> Vec<Coverage> {
    let mut last: BTreeMap<(String, Option<String>), Coverage> = BTreeMap::new();
    let mut out = Vec::new();
    for span in spans {
        if span.to > since {
            out.push(span);
            continue;
        }
        let key = (span.kind.clone(), span.namespace.clone());
        if last.get(&key).is_none_or(|before| before.to < span.to) {
            last.insert(key, span);
        }
    }
    last.into_values().chain(out).collect()
}

/// The history's spans and those of this run. A span of this run stands in both, and is newer as it runs.
pub fn joined(before: &[Coverage], running: &[Coverage]) -> Vec<Coverage> {
    let is_running = |span: &Coverage| {
        let one = |now: &&Coverage| now.kind == span.kind && now.namespace == span.namespace;
        running.iter().filter(one).any(|now| now.from.duration_since(span.from).abs() < SignedDuration::from_secs(1))
    };
    before.iter().filter(|span| !is_running(span)).chain(running).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use afterwatch_assistant::choice::Writer;
    use afterwatch_core::{
        coverage::EndedBy,
        object::kind::Mode,
        port::{BoxFuture, Notice, NoticeError, Notifier, Store},
    };
    use afterwatch_engine::{NotifyMode, Options, Ports, SystemClock};
    use afterwatch_store::SqliteStore;
    use jiff::tz::TimeZone;

    struct Nobody;

    impl Notifier for Nobody {
        fn show(&self, _: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
            Box::pin(async { Ok(()) })
        }
    }

    /// What the page shows when the history holds these spans and the day it shows began at this second.
    fn read_from(spans: &[Coverage], day: i64) -> Vec<Coverage> {
        let store = SqliteStore::open_in_memory().unwrap();
        store.save(&[], &[], spans).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ports = Ports {
                store: Arc::new(store),
                notifier: Arc::new(Nobody),
                clock: Arc::new(SystemClock),
                model: Arc::new(Writer::default()),
            };
            let options = Options {
                stability: SignedDuration::from_mins(10),
                notify: NotifyMode::Count,
                zone: TimeZone::UTC,
                recorder: "a test".to_owned(),
                alone: true,
            };
            let now = Timestamp::from_second(day + 24 * 3600).unwrap();
            read(&Engine::new(ports, options), "prod-eu", now).await.unwrap()
        })
    }

    fn span(kind: &str, from: i64, to: i64, ended_by: Option<EndedBy>) -> Coverage {
        Coverage {
            cluster: "prod-eu".into(),
            kind: kind.into(),
            namespace: None,
            from: Timestamp::from_second(from).unwrap(),
            to: Timestamp::from_second(to).unwrap(),
            how: Mode::Watch,
            ended_by,
        }
    }

    fn ends(spans: &[Coverage]) -> Vec<(&str, i64)> {
        spans.iter().map(|s| (s.kind.as_str(), s.to.as_second())).collect()
    }

    #[test]
    fn what_earlier_runs_recorded_is_read_from_the_history_however_long_ago() {
        let earlier = [span("pods", 99_000, 100_500, Some(EndedBy::Quit)), span("pods", 10, 20, Some(EndedBy::Quit))];
        assert_eq!(ends(&read_from(&earlier, 100_000)), [("pods", 20), ("pods", 100_500)]);
        let long_ago = span("pods", 10, 20, Some(EndedBy::Crash));
        assert_eq!(ends(&read_from(&[long_ago], 90 * 24 * 3600)), [("pods", 20)]);
        assert!(read_from(&[], 0).is_empty());
    }

    #[test]
    fn of_what_lies_before_the_day_only_the_last_end_of_each_kind_is_kept() {
        let all = vec![
            span("pods", 0, 10, Some(EndedBy::Quit)),
            span("nodes", 0, 15, Some(EndedBy::Quit)),
            span("pods", 20, 90, Some(EndedBy::Sleep)),
            span("pods", 95, 150, Some(EndedBy::Quit)),
        ];
        let kept = shown(all, Timestamp::from_second(100).unwrap());
        assert_eq!(ends(&kept), [("nodes", 15), ("pods", 90), ("pods", 150)]);
    }

    #[test]
    fn earlier_runs_are_shown_beside_this_one_which_is_told_of_once() {
        let before = [span("pods", 0, 10, Some(EndedBy::Quit)), span("pods", 50, 60, None)];
        let running = [span("pods", 50, 75, None), span("nodes", 50, 75, None)];
        assert_eq!(ends(&joined(&before, &running)), [("pods", 10), ("pods", 75), ("nodes", 75)]);
        assert_eq!(ends(&joined(&before, &[])), [("pods", 10), ("pods", 60)]);
    }
}
