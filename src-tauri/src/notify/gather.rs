//! Many notifications within seconds become one: a node that dies takes ten workloads along, and a laptop that wakes up
//! without its network loses sight of every cluster at once.
//!
//! The first of a kind is shown at once. What follows within [`TOGETHER`] waits that long, and when it makes [`MANY`] or
//! more with what was just shown, one notification takes the place of them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterwatch_core::{
    incident::IncidentId,
    port::{BoxFuture, Notice, NoticeError, Notifier, notifier::NoticeKind},
    words::clip,
};
use tokio::{sync::oneshot, time::Instant};

/// What comes within this time belongs together.
const TOGETHER: Duration = Duration::from_secs(3);

/// Fewer than this many are shown one by one, each with its own buttons.
const MANY: usize = 3;

/// Something that puts notifications on a screen.
pub trait Screen: Send + Sync + 'static {
    /// Shows a notification in the place of those of `replaces`, and of an earlier one of its own incident.
    fn put(&self, notice: Notice, replaces: Vec<IncidentId>) -> BoxFuture<'_, Result<(), NoticeError>>;
}

/// The notifier that holds back and puts together.
pub struct Gathered<S> {
    screen: Arc<S>,
    kinds: Arc<Mutex<HashMap<NoticeKind, Recent>>>,
}

/// Told what became of a notification that waited.
type Waiting = (Notice, oneshot::Sender<Result<(), NoticeError>>);

/// The notifications of one kind.
#[derive(Default)]
struct Recent {
    /// When something was shown last, and what it stood for.
    shown_at: Option<Instant>,
    shown: Vec<Notice>,
    held: Vec<Waiting>,
    /// What was held and is on its way to the screen.
    going: Vec<IncidentId>,
}

/// What to do with a notification now.
enum Turn {
    Show,
    /// It waits, with the others or as the first of them.
    Wait(oneshot::Receiver<Result<(), NoticeError>>, bool),
    /// What was said of the same incident before is not shown yet, and must not take its place.
    After,
}

impl<S: Screen> Gathered<S> {
    pub fn new(screen: S) -> Gathered<S> {
        Gathered { screen: Arc::new(screen), kinds: Arc::default() }
    }

    fn turn(&self, notice: &Notice) -> Turn {
        // Each of these is one by nature, and somebody may be waiting for it.
        if matches!(notice.kind, NoticeKind::Morning | NoticeKind::Test) {
            return Turn::Show;
        }
        let mut kinds = lock(&self.kinds);
        let waits = |recent: &Recent| {
            let mut held = recent.held.iter().filter_map(|(held, _)| held.incident).chain(recent.going.iter().copied());
            held.any(|incident| Some(incident) == notice.incident)
        };
        if notice.incident.is_some() && kinds.iter().any(|(kind, recent)| *kind != notice.kind && waits(recent)) {
            return Turn::After;
        }
        let recent = kinds.entry(notice.kind).or_default();
        if recent.held.is_empty() && recent.shown_at.is_none_or(|at| at.elapsed() >= TOGETHER) {
            recent.shown_at = Some(Instant::now());
            recent.shown = vec![notice.clone()];
            return Turn::Show;
        }
        let (told, answer) = oneshot::channel();
        recent.held.push((notice.clone(), told));
        Turn::Wait(answer, recent.held.len() == 1)
    }

    /// Shows what was held back.
    async fn flush(screen: Arc<S>, kinds: Arc<Mutex<HashMap<NoticeKind, Recent>>>, kind: NoticeKind) {
        tokio::time::sleep(TOGETHER).await;
        let (all, held) = {
            let mut kinds = lock(&kinds);
            let recent = kinds.entry(kind).or_default();
            let held = std::mem::take(&mut recent.held);
            for (notice, _) in &held {
                take_in(&mut recent.shown, notice);
            }
            recent.shown_at = Some(Instant::now());
            recent.going = held.iter().filter_map(|(notice, _)| notice.incident).collect();
            (recent.shown.clone(), held)
        };
        if all.len() < MANY {
            for (notice, told) in held {
                let _ = told.send(screen.put(notice, vec![]).await);
            }
        } else {
            let replaces = all.iter().filter_map(|notice| notice.incident).collect();
            let outcome = screen.put(together(kind, &all), replaces).await;
            for (_, told) in held {
                let _ = told.send(outcome.clone());
            }
        }
        lock(&kinds).entry(kind).or_default().going.clear();
    }
}

impl<S: Screen> Notifier for Gathered<S> {
    fn show(&self, notice: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
        Box::pin(async move {
            loop {
                match self.turn(&notice) {
                    Turn::Show => return self.screen.put(notice, vec![]).await,
                    Turn::After => tokio::time::sleep(TOGETHER / 10).await,
                    Turn::Wait(answer, first) => {
                        if first {
                            let (screen, kinds) = (Arc::clone(&self.screen), Arc::clone(&self.kinds));
                            tokio::spawn(Self::flush(screen, kinds, notice.kind));
                        }
                        let gone = || NoticeError { message: "The app ended before it was shown.".into() };
                        return answer.await.unwrap_or_else(|_| Err(gone()));
                    }
                }
            }
        })
    }
}

/// What is said of an incident takes the place of what was said of it before: incidents are counted, not notifications.
fn take_in(shown: &mut Vec<Notice>, notice: &Notice) {
    let same = |earlier: &Notice| match notice.incident {
        Some(_) => earlier.incident == notice.incident,
        None => earlier.title == notice.title,
    };
    match shown.iter_mut().find(|earlier| same(earlier)) {
        Some(earlier) => earlier.clone_from(notice),
        None => shown.push(notice.clone()),
    }
}

/// One notification for all of them; its click leads to the worst.
fn together(kind: NoticeKind, all: &[Notice]) -> Notice {
    let n = all.len();
    let mut order: Vec<&Notice> = all.iter().collect();
    order.sort_by_key(|notice| std::cmp::Reverse(notice.severity));
    let worst = order[0];
    let titles = order.iter().map(|notice| notice.title.as_str()).collect::<Vec<_>>().join(" · ");
    let (title, body) = match kind {
        NoticeKind::Opened => (format!("{n} incidents opened"), format!("Worst: {}. {}", worst.title, worst.body)),
        NoticeKind::Worse => (format!("{n} incidents became worse"), titles),
        NoticeKind::Recovered => (format!("{n} incidents are well again"), titles),
        NoticeKind::LostSight => (format!("{n} clusters cannot be watched"), titles),
        NoticeKind::Summary | NoticeKind::Morning | NoticeKind::Test => {
            (format!("{n} summaries of what was there at the start"), titles)
        }
    };
    Notice {
        kind: NoticeKind::Summary,
        incident: worst.incident,
        title,
        body: clip(&body, 110),
        severity: worst.severity,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use afterwatch_core::severity::Severity;
    use uuid::Uuid;

    use super::*;

    /// Notes what it is asked to put where.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<(Notice, usize)>>>, bool);

    impl Screen for Paper {
        fn put(&self, notice: Notice, replaces: Vec<IncidentId>) -> BoxFuture<'_, Result<(), NoticeError>> {
            lock(&self.0).push((notice, replaces.len()));
            let outcome = if self.1 { Err(NoticeError { message: "nobody".into() }) } else { Ok(()) };
            Box::pin(std::future::ready(outcome))
        }
    }

    fn opened(n: u128, severity: Severity) -> Notice {
        Notice {
            kind: NoticeKind::Opened,
            incident: Some(IncidentId(Uuid::from_u128(n))),
            title: format!("app-{n} has no ready pods"),
            body: "prod-eu / shop, since 03:10.".into(),
            severity,
        }
    }

    /// Shows these at the given milliseconds; answers what was put on the screen and what each was told.
    async fn play(notices: Vec<(u64, Notice)>, nobody: bool) -> (Vec<(Notice, usize)>, Vec<bool>) {
        let paper = Paper(Arc::default(), nobody);
        let gathered = Arc::new(Gathered::new(paper.clone()));
        let told = notices.into_iter().map(|(at, notice)| {
            let gathered = Arc::clone(&gathered);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(at)).await;
                gathered.show(notice).await.is_ok()
            })
        });
        let mut outcomes = Vec::new();
        for one in told.collect::<Vec<_>>() {
            outcomes.push(one.await.unwrap());
        }
        let put = lock(&paper.0).clone();
        (put, outcomes)
    }

    #[tokio::test(start_paused = true)]
    async fn five_incidents_within_a_few_seconds_end_as_one_notification() {
        let notices =
            (1..=5).map(|n| (n as u64 * 400, opened(n, if n == 3 { Severity::Critical } else { Severity::Medium })));
        let (put, told) = play(notices.collect(), false).await;
        assert_eq!(put.len(), 2, "{put:?}");
        assert_eq!(put[0].0.title, "app-1 has no ready pods", "the first does not wait");
        let (all, replaced) = &put[1];
        assert_eq!(all.title, "5 incidents opened");
        assert_eq!(all.body, "Worst: app-3 has no ready pods. prod-eu / shop, since 03:10.");
        assert_eq!((all.severity, all.incident), (Severity::Critical, opened(3, Severity::Critical).incident));
        assert_eq!(*replaced, 5, "it takes the first one's place");
        assert_eq!(told, [true; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_that_goes_on_stays_one_notification_that_counts_up() {
        let notices = (1..=10).map(|n| (n as u64 * 1000, opened(n, Severity::High)));
        let (put, _) = play(notices.collect(), false).await;
        assert!(put.len() < 6, "{put:?}");
        assert_eq!(put.last().unwrap().0.title, "10 incidents opened");
    }

    #[tokio::test(start_paused = true)]
    async fn two_keep_their_buttons_and_what_comes_later_is_shown_at_once() {
        let notices =
            vec![(0, opened(1, Severity::High)), (500, opened(2, Severity::High)), (20_000, opened(3, Severity::High))];
        let (put, _) = play(notices, false).await;
        let kinds: Vec<_> = put.iter().map(|(notice, replaced)| (notice.kind, *replaced)).collect();
        assert_eq!(kinds, [(NoticeKind::Opened, 0); 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_incident_that_is_told_of_twice_counts_once() {
        let notices = [1, 2, 1, 2, 3].iter().enumerate();
        let notices = notices.map(|(at, n)| (at as u64 * 300, opened(*n, Severity::High)));
        let (put, _) = play(notices.collect(), false).await;
        assert_eq!(put.last().unwrap().0.title, "3 incidents opened");
    }

    #[tokio::test(start_paused = true)]
    async fn that_it_is_well_again_is_never_shown_before_that_it_broke() {
        let well =
            Notice { kind: NoticeKind::Recovered, title: "app-2 is well again".into(), ..opened(2, Severity::High) };
        let notices = vec![(0, opened(1, Severity::High)), (500, opened(2, Severity::High)), (900, well)];
        let (put, _) = play(notices, false).await;
        let titles: Vec<_> = put.iter().map(|(notice, _)| notice.title.as_str()).collect();
        assert_eq!(titles, ["app-1 has no ready pods", "app-2 has no ready pods", "app-2 is well again"]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waited_is_told_that_nobody_shows_it() {
        let notices = (1..=4).map(|n| (n as u64, opened(n, Severity::High)));
        let (_, told) = play(notices.collect(), true).await;
        assert_eq!(told, [false; 4]);
    }
}
