//! What the tray shows: one form and one sentence for everything that is watched. Pure.

use std::sync::Arc;

use afterwatch_core::{
    incident::{Head, State},
    observation::Connection,
    severity::Severity,
    words::{clip, count},
};
use afterwatch_engine::{ClusterState, ClusterView};

/// At most this many incidents are in the menu.
pub const LISTED: usize = 5;

/// The form of the icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    Calm,
    Recovering,
    Critical,
    High,
    Medium,
    /// A cluster cannot be watched.
    Blind,
    Paused,
    Starting,
}

/// Everything the tray shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub face: Face,
    /// The first row of the menu, and the tooltip where the system has one.
    pub sentence: String,
    pub incidents: Vec<Row>,
    /// Open incidents that did not fit.
    pub more: usize,
    pub paused: bool,
    /// The title of the drill the window works on. The icon is about what is real.
    pub drill: Option<String>,
}

/// What keeps the record from being whole, besides the connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Clusters that were chosen and are not watched: gone from the kubeconfig, or refused.
    pub missing: Vec<String>,
    /// What is wrong with the recording itself.
    pub trouble: Option<String>,
}

/// An incident in the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub text: String,
}

impl Outlook {
    /// Before anything is known.
    pub fn starting() -> Outlook {
        Outlook::bare(Face::Starting, "Starting…".into())
    }

    /// The outlook when the history cannot be opened: nothing is recorded.
    pub fn without_history() -> Outlook {
        let sentence = "Nothing is recorded: the history cannot be opened.".into();
        Outlook::bare(Face::Blind, sentence)
    }

    fn bare(face: Face, sentence: String) -> Outlook {
        Outlook { face, sentence, incidents: vec![], more: 0, paused: false, drill: None }
    }

    /// The outlook for these open incidents and clusters.
    pub fn new(open: &[Head], clusters: &[Arc<ClusterView>], unseen: &Unseen, paused: bool) -> Outlook {
        let mut order: Vec<&Head> = open.iter().filter(|i| i.state.is_open()).collect();
        order.sort_by_key(|i| (rank(i.state), std::cmp::Reverse(i.severity), std::cmp::Reverse(i.detected_at)));
        let (face, sentence) = look(&order, clusters, unseen, paused);
        Outlook {
            face,
            sentence: clip(&sentence, 90),
            incidents: order.iter().take(LISTED).map(|i| Row { id: i.id.to_string(), text: row(i) }).collect(),
            more: order.len().saturating_sub(LISTED),
            paused,
            drill: None,
        }
    }
}

/// What waits for a person comes first.
fn rank(state: State) -> u8 {
    match state {
        State::Open => 0,
        State::Acknowledged => 1,
        State::Mitigated => 2,
        State::Resolved => 3,
    }
}

fn row(i: &Head) -> String {
    let state = if i.state == State::Open { i.severity.word() } else { i.state.word() };
    format!("{state}: {} ({})", clip(&i.title, 60), i.cluster)
}

fn look(order: &[&Head], clusters: &[Arc<ClusterView>], unseen: &Unseen, paused: bool) -> (Face, String) {
    if paused {
        return (Face::Paused, "Watching is paused. Nothing is recorded.".into());
    }
    // Low never changes the icon, and neither does what somebody has taken on.
    let waiting: Vec<&&Head> = order.iter().filter(|i| i.state == State::Open && i.severity > Severity::Low).collect();
    if let Some(worst) = waiting.first() {
        let face = match worst.severity {
            Severity::Critical => Face::Critical,
            Severity::High => Face::High,
            Severity::Medium | Severity::Low => Face::Medium,
        };
        let sentence = match waiting.len() {
            1 => format!("{}, {}", worst.title, worst.cluster),
            n => format!("{}, {} and {} more", clip(&worst.title, 60), worst.cluster, n - 1),
        };
        return (face, sentence);
    }
    if let Some(trouble) = &unseen.trouble {
        return (Face::Blind, trouble.clone());
    }
    let lost = clusters.iter().filter(|c| is_blind(&c.state)).map(|c| &c.name);
    let blind: Vec<&String> = lost.chain(&unseen.missing).collect();
    match blind.as_slice() {
        [] => {}
        [one] => return (Face::Blind, format!("{one} cannot be watched")),
        many => return (Face::Blind, format!("{} clusters cannot be watched", many.len())),
    }
    if let Some(mitigated) = order.iter().find(|i| i.state == State::Mitigated) {
        return (Face::Recovering, format!("{} is well again, watching whether it holds", mitigated.subject.name));
    }
    if let Some(starting) = clusters.iter().find(|c| is_starting(&c.state)) {
        return (Face::Starting, format!("Reading {}…", starting.name));
    }
    let watched = match clusters.len() {
        0 => "No cluster is watched.".to_owned(),
        1 => match &clusters[0].followed {
            Some(who) => format!("{} is recorded by {who}.", clusters[0].name),
            None => format!("{} is watched.", clusters[0].name),
        },
        n => format!("{} are watched.", count(n, "cluster")),
    };
    let sentence = match order.len() {
        0 => format!("Nothing is open. {watched}"),
        n => format!("Nothing waits for you, {} open. {watched}", count(n, "incident")),
    };
    (Face::Calm, sentence)
}

fn is_blind(state: &ClusterState) -> bool {
    matches!(
        state,
        ClusterState::Connection(
            Connection::Unreachable { .. } | Connection::LoginNeeded { .. } | Connection::Misconfigured { .. }
        )
    )
}

fn is_starting(state: &ClusterState) -> bool {
    matches!(state, ClusterState::Connection(Connection::Connecting | Connection::Syncing { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterwatch_core::{Timestamp, incident::IncidentId, object::ObjectRef, severity::Confidence};
    use uuid::Uuid;

    fn incident(number: u64, state: State, severity: Severity) -> Head {
        Head {
            id: IncidentId(Uuid::from_u128(u128::from(number))),
            number,
            fingerprint: number.to_string(),
            title: format!("checkout-{number} has no ready pods"),
            state,
            severity,
            cluster: "prod-eu".into(),
            cluster_uid: "uid".into(),
            subject: ObjectRef {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: Some("shop".into()),
                name: format!("checkout-{number}"),
                uid: None,
            },
            started_at: None,
            started_at_range: None,
            detected_at: Timestamp::UNIX_EPOCH,
            acknowledged_at: None,
            mitigated_at: None,
            resolved_at: None,
            recovered_by: None,
            verdict: Confidence::NotEstablished,
            causes: vec![],
            notifications: 0,
            reopened: 0,
            earlier: Vec::new(),
            merged_into: None,
            ticket: None,
            revision: 0,
        }
    }

    fn cluster(name: &str, connection: Connection) -> Arc<ClusterView> {
        Arc::new(ClusterView {
            name: name.into(),
            state: ClusterState::Connection(connection),
            cluster_uid: None,
            server_version: None,
            unreadable: vec![],
            coverage: vec![],
            objects: 0,
            last_heard: None,
            followed: None,
        })
    }

    fn connected() -> Connection {
        Connection::Connected { cluster_uid: "uid".into(), server_version: "v1.33.0".into() }
    }

    fn outlook(open: &[Head], clusters: &[Arc<ClusterView>], paused: bool) -> Outlook {
        Outlook::new(open, clusters, &Unseen::default(), paused)
    }

    fn face(open: &[Head], clusters: &[Arc<ClusterView>]) -> Face {
        outlook(open, clusters, false).face
    }

    #[test]
    fn the_worst_incident_nobody_took_on_gives_the_form() {
        let well = [cluster("prod-eu", connected())];
        let open = [
            incident(1, State::Open, Severity::Medium),
            incident(2, State::Acknowledged, Severity::Critical),
            incident(3, State::Open, Severity::High),
        ];
        let outlook = outlook(&open, &well, false);
        assert_eq!(outlook.face, Face::High);
        assert_eq!(outlook.sentence, "checkout-3 has no ready pods, prod-eu and 1 more");
        assert_eq!(outlook.incidents[0].text, "High: checkout-3 has no ready pods (prod-eu)");
        assert_eq!(outlook.incidents[2].text, "Acknowledged: checkout-2 has no ready pods (prod-eu)");
    }

    #[test]
    fn what_is_low_or_acknowledged_leaves_the_tray_calm() {
        let well = [cluster("prod-eu", connected())];
        let open = [incident(1, State::Open, Severity::Low), incident(2, State::Acknowledged, Severity::Critical)];
        let outlook = outlook(&open, &well, false);
        assert_eq!(outlook.face, Face::Calm);
        assert_eq!(outlook.sentence, "Nothing waits for you, 2 incidents open. prod-eu is watched.");
    }

    #[test]
    fn a_cluster_that_cannot_be_watched_makes_it_blind_unless_something_burns() {
        let lost = Connection::Unreachable { message: "no route".into(), hint: String::new() };
        let clusters = [cluster("edge", lost), cluster("prod-eu", connected())];
        assert_eq!(face(&[], &clusters), Face::Blind);
        assert_eq!(outlook(&[], &clusters, false).sentence, "edge cannot be watched");
        assert_eq!(face(&[incident(1, State::Open, Severity::Critical)], &clusters), Face::Critical);
    }

    #[test]
    fn a_chosen_cluster_that_is_not_watched_and_a_full_disk_make_it_blind() {
        let well = [cluster("prod-eu", connected())];
        let gone = Unseen { missing: vec!["edge".into()], trouble: None };
        let outlook = Outlook::new(&[], &[], &gone, false);
        assert_eq!((outlook.face, outlook.sentence.as_str()), (Face::Blind, "edge cannot be watched"));
        let lost = [cluster("lab", Connection::LoginNeeded { message: String::new(), hint: String::new() })];
        assert_eq!(Outlook::new(&[], &lost, &gone, false).sentence, "2 clusters cannot be watched");

        let full = Unseen { missing: vec![], trouble: Some("Recording stopped at 04:31: the disk is full.".into()) };
        let outlook = Outlook::new(&[], &well, &full, false);
        assert_eq!(outlook.face, Face::Blind);
        assert_eq!(outlook.sentence, "Recording stopped at 04:31: the disk is full.");
        let burning = [incident(1, State::Open, Severity::Critical)];
        assert_eq!(Outlook::new(&burning, &well, &full, false).face, Face::Critical);
    }

    #[test]
    fn what_another_process_records_is_not_called_watched() {
        let mut view = cluster("prod-eu", connected()).as_ref().clone();
        view.state = ClusterState::Following;
        view.followed = Some("kubectl afterwatch watch".into());
        assert_eq!(
            outlook(&[], &[Arc::new(view)], false).sentence,
            "Nothing is open. prod-eu is recorded by kubectl afterwatch watch."
        );
    }

    #[test]
    fn pausing_recovering_starting_and_calm_have_their_forms() {
        let well = [cluster("prod-eu", connected())];
        let mitigated = [incident(1, State::Mitigated, Severity::Critical)];
        assert_eq!(outlook(&mitigated, &well, true).face, Face::Paused);
        assert_eq!(face(&mitigated, &well), Face::Recovering);
        assert_eq!(face(&[], &[cluster("prod-eu", Connection::Connecting)]), Face::Starting);
        assert_eq!(face(&[], &well), Face::Calm);
        assert_eq!(outlook(&[], &[], false).sentence, "Nothing is open. No cluster is watched.");
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let open: Vec<Head> = (1..=11).map(|n| incident(n, State::Open, Severity::High)).collect();
        let outlook = outlook(&open, &[], false);
        assert_eq!((outlook.incidents.len(), outlook.more), (LISTED, 6));
    }
}
