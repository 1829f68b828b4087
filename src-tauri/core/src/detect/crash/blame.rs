//! Who must be changed for what a container's last words say: the workload itself, or the object that gives it the
//! variable, the file, the right or the way to another host that it misses.

mod api;
mod bound;
mod credential;
mod disk;
mod file;
mod flag;
mod link;
mod listens;
mod name;
mod origin;
mod policy;
mod reach;
mod removed;
mod rights;
pub(super) mod runtime;
mod server;
mod setting;
pub(super) mod stated;

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::super::{
    Context, backing,
    context::{Owner, edit, object_evidence},
    host::hosts,
};
use crate::{
    change::{Change, ChangeVerb},
    evidence::{EvidenceDraft, EvidenceKind},
    logs::{self, Class, Signal},
    object::{Container, Kind, Object, ObjectRef, Pod},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
};

/// A change this long before a death may be what it came from.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// The container that died, and when first.
pub(in crate::detect) struct Case<'c, 'a> {
    pub cx: &'c Context<'a>,
    pub pod: &'c Pod,
    pub spec: &'c Container,
    pub owner: &'c Owner,
    pub init: bool,
    pub died: Timestamp,
}

/// Who is to blame, and on what evidence.
#[derive(Clone)]
pub(in crate::detect) struct Blame {
    pub rule: String,
    pub confidence: Confidence,
    pub entity: ObjectRef,
    pub referrer: Option<ObjectRef>,
    pub field: Option<String>,
    /// What happened, as the middle of a sentence about the container.
    pub phrase: String,
    pub evidence: Vec<EvidenceDraft>,
    pub actions: Vec<ActionDraft>,
    /// What would tell, where this does not.
    pub needs: Vec<String>,
}

impl Blame {
    /// Another object than the workload is to be changed, which refers to it.
    fn on(mut self, entity: ObjectRef, field: Option<String>, case: &Case<'_, '_>) -> Blame {
        self.referrer = Some(case.owner.subject.clone()).filter(|o| !o.same_name(&entity));
        self.entity = entity;
        self.field = field;
        self
    }

    fn says(mut self, more: impl AsRef<str>) -> Blame {
        self.phrase.push_str(more.as_ref());
        self
    }

    /// Something else happened than is said; where it comes from stays.
    fn happened(mut self, what: &str) -> Blame {
        let more = self.phrase.split_once(';').map(|(_, more)| format!(";{more}")).unwrap_or_default();
        self.phrase = format!("{what}{more}");
        self
    }

    pub(super) fn sure(mut self, confidence: Confidence) -> Blame {
        self.confidence = confidence;
        self
    }

    /// It is only possible, and this would tell.
    fn needs(mut self, what: impl Into<String>) -> Blame {
        self.confidence = Confidence::Possible;
        self.needs.push(what.into());
        self
    }

    fn rule(mut self, rule: &str) -> Blame {
        self.rule = rule.to_owned();
        self
    }

    pub(super) fn field(mut self, field: impl Into<String>) -> Blame {
        self.field = Some(field.into());
        self
    }

    fn field_if(self, field: Option<String>) -> Blame {
        match field {
            Some(field) => self.field(field),
            None => self,
        }
    }

    pub(super) fn step(mut self, step: ActionDraft) -> Blame {
        self.actions.push(step);
        self
    }

    /// A live object that carries the statement.
    fn seen(
        mut self,
        object: &Object,
        aspect: &str,
        summary: String,
        lines: &[(&str, String)],
        at: Timestamp,
    ) -> Blame {
        self.evidence.push(object_evidence(EvidenceKind::Object, object.reference(), aspect, summary, lines, at));
        self
    }
}

impl<'a> Case<'_, 'a> {
    fn ns(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or("default")
    }

    fn get(&self, kind: Kind, name: &str) -> Option<&'a Object> {
        self.cx.index.get(kind, Some(self.ns()), name).map(|o| &**o)
    }

    fn knows(&self, kind: Kind) -> bool {
        self.cx.index.knows(kind, Some(self.ns()))
    }

    /// The path of a field of this container.
    pub(super) fn path(&self, field: &str) -> String {
        self.owner.field(self.init, &self.spec.name, field)
    }

    /// An object of the namespace by name, be it there or not.
    fn reference(&self, kind: Kind, name: &str) -> ObjectRef {
        self.get(kind, name).map_or_else(|| ObjectRef::missing(kind, Some(self.ns()), name), Object::reference)
    }

    /// The changes of an object in the hour before the container first died, newest first.
    fn changes(&self, object: &ObjectRef) -> Vec<&'a Change> {
        let from = self.died.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
        let until = self.died.saturating_add(SignedDuration::from_secs(5)).unwrap_or(Timestamp::MAX);
        let index = self.cx.index;
        let mut out: Vec<&Change> = index.changes_of(object).filter(|c| c.at >= from && c.at <= until).collect();
        out.reverse();
        out
    }

    /// This key of a ConfigMap was written in the hour before.
    fn wrote(&self, map: &str, key: &str) -> bool {
        self.changes(&self.reference(Kind::ConfigMap, map)).iter().any(|c| c.keys().any(|k| k == key))
    }

    /// This field of the workload was changed in the hour before.
    fn replaced(&self, field: &str) -> bool {
        let is = |path: &str| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.changes(&self.owner.subject).iter().any(|c| c.fields.iter().any(|f| is(&f.path)))
    }

    /// When the container ended last, which is when its log was written.
    fn ended(&self) -> Timestamp {
        let status = self.pod.containers().find(|(spec, _, _)| spec.name == self.spec.name).and_then(|(_, s, _)| s);
        let terminated = status.and_then(|s| s.state.terminated.as_ref().or(s.last_state.terminated.as_ref()));
        terminated.and_then(|t| t.finished_at).unwrap_or_else(|| self.cx.now.get())
    }

    /// What the workload itself writes: the values of variables, arguments and command.
    fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let values = self.spec.env.iter().filter_map(|e| e.value.as_deref());
        values.map(Cow::Borrowed).chain(self.spec.args.iter().chain(&self.spec.command).map(|a| self.unprinted(a)))
    }

    /// An argument without the lines of the container's log that it holds: a script that prints something has it from
    /// somewhere else, or it would not have to be asked.
    fn unprinted<'t>(&self, argument: &'t str) -> Cow<'t, str> {
        const LONG: usize = 12;
        const LINES: usize = 100;
        let mut left = Cow::Borrowed(argument);
        if !argument.contains([' ', '\n']) {
            return left;
        }
        let log = self.cx.index.newest_log(&self.pod.metadata.uid, &self.spec.name);
        for line in
            log.iter().filter_map(|log| log.lines.as_ref().ok()).flat_map(|lines| lines.iter().rev().take(LINES))
        {
            // A line that it does not end with is not printed by it: asked first, for reading a line takes longer.
            let end = line
                .trim_end()
                .char_indices()
                .rev()
                .nth(LONG - 1)
                .map_or("", |(at, _)| line.trim_end().get(at..).unwrap_or(""));
            if end.is_empty() || !left.contains(end) {
                continue;
            }
            for said in [line.trim(), logs::message(line).trim()] {
                if said.len() >= LONG && left.contains(said) {
                    left = Cow::Owned(left.replace(said, " "));
                }
            }
        }
        left
    }

    /// The hosts the pod is configured with, without those that its own script only prints.
    fn hosts(&self) -> Vec<String> {
        let mut spec = self.pod.spec.clone();
        for c in spec.containers.iter_mut().chain(&mut spec.init_containers).filter(|c| c.name == self.spec.name) {
            for argument in c.command.iter_mut().chain(&mut c.args) {
                *argument = self.unprinted(argument).into_owned();
            }
        }
        hosts(&spec)
    }

    /// What of these kinds was deleted in the hour before the container first died, in a namespace or in none.
    fn lost(&self, kinds: &[Kind], namespace: Option<&str>) -> Vec<&'a Change> {
        let from = self.died.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
        let until = self.died.saturating_add(SignedDuration::from_secs(5)).unwrap_or(Timestamp::MAX);
        let deleted =
            self.cx.index.changes().filter(|c| c.verb == ChangeVerb::Deleted && c.at >= from && c.at <= until);
        deleted
            .filter(|c| kinds.iter().any(|k| c.object.kind == k.as_str()))
            .filter(|c| c.object.namespace.is_none() || c.object.namespace.as_deref() == namespace)
            .collect()
    }

    /// Where the workload itself writes a text: in a variable, its arguments or its command.
    fn written(&self, text: &str) -> Option<String> {
        self.holds(&|value| text.len() >= 2 && contains_word(value, text))
    }

    /// The field whose text is such.
    pub(in crate::detect) fn holds(&self, has: &dyn Fn(&str) -> bool) -> Option<String> {
        if let Some(e) = self.spec.env.iter().find(|e| e.value.as_deref().is_some_and(&has)) {
            return Some(self.path(&format!("env[{}]", e.name)));
        }
        let writes = |list: &[String]| list.iter().any(|a| has(a) && has(&self.unprinted(a)));
        if writes(&self.spec.args) {
            return Some(self.path("args"));
        }
        writes(&self.spec.command).then(|| self.path("command"))
    }

    /// The workload is to be changed.
    fn own(&self, signal: &Signal) -> Blame {
        self.fault(signal.class.rule(), signal.phrase())
    }

    /// The workload is to be changed, by this rule and for this reason.
    pub(super) fn fault(&self, rule: String, phrase: String) -> Blame {
        Blame {
            rule,
            confidence: Confidence::Likely,
            entity: self.owner.subject.clone(),
            referrer: None,
            field: None,
            phrase,
            evidence: Vec::new(),
            actions: Vec::new(),
            needs: Vec::new(),
        }
    }

    pub(super) fn edit(&self, kind: ActionKind, because: impl Into<String>) -> ActionDraft {
        edit(kind, &self.owner.subject, because)
    }
}

/// The text stands in the value, not as a part of a longer name.
fn contains_word(value: &str, text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    value.match_indices(text).any(|(at, _)| {
        let before = value[..at].chars().next_back();
        let after = value[at + text.len()..].chars().next();
        !before.is_some_and(|c| inside(c) || c == '.') && !after.is_some_and(inside)
    })
}

/// Who must be changed for a line of this class.
pub(in crate::detect) fn blame(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let relayed = matches!(
        signal.class,
        Class::StoreFull
            | Class::SharedMemory
            | Class::DiskFull
            | Class::DiskError
            | Class::ReadOnly
            | Class::OutOfMemory
    );
    if let Some(blame) = relayed.then(|| server::relayed(case, signal)).flatten() {
        return blame;
    }
    match signal.class {
        Class::MissingEnv | Class::MissingSetting => setting::missing(case, signal),
        Class::BadConfig => link::linked(case, signal).unwrap_or_else(|| setting::bad(case, signal)),
        Class::UnknownFlag => flag::unknown(case, signal),
        Class::MissingFile | Class::NotAFile => file::missing(case, signal),
        Class::DiskFull => disk::full(case, signal),
        Class::ReadOnly => disk::read_only(case, signal),
        Class::PermissionDenied => disk::denied(case, signal),
        Class::Script => match signal.subject.as_deref().filter(|s| s.starts_with('/')) {
            Some(path) => file::content(case, path, case.own(signal)),
            None => case.own(signal).field(case.path("command")),
        },
        Class::DataDirectory | Class::DataVersion => disk::data(case, signal),
        Class::PortDenied => rights::port_denied(case, signal),
        Class::PortInUse => rights::port_in_use(case, signal),
        Class::ClusterAccess => rights::cluster(case, signal),
        Class::Authentication => credential::refused(case, signal),
        Class::ServerError => server::errs(case, signal),
        class if class.is_connection() => reach::host(case, signal),
        Class::Certificate => server::certificate(case, signal),
        Class::HostKey => match file::mounted_as(case, "known_hosts") {
            Some(path) => file::content(case, &path, case.own(signal)),
            None => case.own(signal),
        },
        Class::RateLimit => match signal.subject.as_deref() {
            Some(host) => server::outsider(case, host, case.own(signal)),
            None => case.own(signal),
        },
        Class::PoolExhausted => {
            let blame = bound::bound(case, case.own(signal), &["POOL", "MAX_CONN", "CONNECTION_LIMIT"]);
            match signal.detail {
                Some(_) => blame.step(case.edit(ActionKind::Scale, "fewer pods take fewer connections")),
                None => blame,
            }
        }
        Class::MissingModule | Class::RuntimeVersion => {
            // The module to start with may be misspelt where it is named.
            let named = signal.subject.as_deref().filter(|_| signal.class == Class::MissingModule);
            // A plain word in a variable may be anything; `shop.wgsi` is a module's name.
            let whole = named.is_some_and(|s| s.contains(['.', '/', ':']));
            let field = named.and_then(|s| case.written(s)).filter(|f| whole || !f.contains(".env["));
            let field = field.unwrap_or_else(|| case.path("image"));
            case.own(signal).field(field)
        }
        Class::GpuMemory | Class::Device => case.own(signal).field(case.path("resources.limits")),
        Class::SharedMemory => case.own(signal).field(case.path("volumeMounts")),
        Class::MissingKind => api::definition(case, signal),
        Class::ExecFormat => runtime::architecture(case, signal),
        // A shell says only that something was killed; who kills for memory is the kernel, but not only.
        Class::OutOfMemory if signal.text.trim_end().ends_with("Killed") => case
            .own(signal)
            .happened("a process of it was killed")
            .needs("who killed it: the node's kernel log says so where memory was short"),
        Class::OutOfMemory => runtime::heap(case, signal),
        Class::License => runtime::license(case, signal),
        Class::KernelSetting => match &case.pod.spec.node_name {
            Some(node) => case.own(signal).says(format!(", on node {node}")),
            None => case.own(signal),
        },
        Class::Database | Class::Migration => {
            let own = case.own(signal);
            // The statement may stand in a script that is mounted from a ConfigMap.
            let script =
                signal.text.split([' ', '"', '\'', ':']).find(|w| w.starts_with('/') && file::from_map(case, w));
            if let Some(path) = script {
                return file::content(case, path, own);
            }
            // Neither said nor written: what a new image asks of the database is the image's.
            let image = || Some(case.path("image")).filter(|path| case.replaced(path));
            let Some(subject) = signal.subject.as_deref() else { return own.field_if(image()) };
            match case.written(subject) {
                Some(field) => own.field(field),
                None => setting::database(case, signal, subject).unwrap_or_else(|| own.field_if(image())),
            }
        }
        _ => case.own(signal),
    }
}

/// Who must be changed for words of no known form.
pub(in crate::detect) fn guess(case: &Case<'_, '_>, words: &str) -> Option<Blame> {
    let signal = Signal {
        class: Class::BadConfig,
        line: 0,
        subject: None,
        value: None,
        file: None,
        detail: None,
        text: words.to_owned(),
        weight: 0,
    };
    Some(setting::guess(case, &signal)?.rule("container-exits").happened("its own log says why"))
}

/// A host that something waits for, as the objects alone tell of it: only what is wrong with it now.
pub(in crate::detect) fn awaited(case: &Case<'_, '_>, host: &str) -> Option<Blame> {
    [Class::Dns, Class::Timeout].iter().find_map(|class| {
        let signal = Signal {
            class: *class,
            line: 0,
            subject: Some(host.to_owned()),
            value: None,
            file: None,
            detail: None,
            text: String::new(),
            weight: 0,
        };
        Some(blame(case, &signal)).filter(is_visible)
    })
}

/// The objects show it still, whatever a log said a while ago.
pub(in crate::detect) fn is_visible(blame: &Blame) -> bool {
    matches!(
        blame.rule.as_str(),
        "service-missing"
            | "host-name-unknown"
            | "dependency-without-endpoints"
            | "dependency-selects-nothing"
            | "dependency-scaled-to-zero"
            | backing::ON_NO_NODE
            | "service-port-unknown"
            | "service-target-port-wrong"
            | "network-policy-blocks"
            | "dns-policy-wrong"
    )
}
