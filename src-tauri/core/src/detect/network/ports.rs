//! Services whose ports lead nowhere, or to pods that do not offer them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use regex::Regex;

use super::super::{
    Context,
    context::{cause, edit, finding, hold, object_evidence, undo},
};
use super::{PORT, changed_at, changes_of, selector, selector_text, serving, touches};
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    object::{Container, ObjectRef, Pod, Service, network::PortRef},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

pub(super) fn wrong_port(cx: &mut Context<'_>, s: &Service, me: &ObjectRef, pods: &[&Pod]) {
    let declares = |n: u16| pods.iter().any(|p| serving(p).flat_map(|c| &c.ports).any(|d| d.container_port == n));
    let beside = s.spec.ports.iter().any(|p| match &p.target_port {
        PortRef::Number(0) => declares(p.port),
        PortRef::Number(n) => declares(*n),
        PortRef::Name(_) => true,
    });
    // Every container says its ports; metrics and the like are often left out beside one that is declared.
    let told = pods.iter().all(|p| serving(p).all(|c| !c.ports.is_empty()))
        && (!beside || changes_of(cx, me).any(|c| touches(c, "spec.ports")));
    // Where no container says its ports, its arguments may.
    let said: BTreeSet<u16> = pods.iter().flat_map(|p| serving(p)).flat_map(listens).collect();
    let probed: BTreeSet<u16> = pods.iter().flat_map(|p| serving(p)).flat_map(probed).collect();
    let mute = pods.iter().all(|p| p.spec.containers.len() == 1 && serving(p).all(|c| c.ports.is_empty()));
    let by_words = mute && !said.is_empty() && s.spec.ports.len() == 1;
    let headless = s.spec.cluster_ip.as_deref() == Some("None");
    for port in &s.spec.ports {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let target = match &port.target_port {
            PortRef::Number(0) => PortRef::Number(port.port),
            other => other.clone(),
        };
        let declared = |p: &Pod| -> Vec<(Option<String>, u16)> {
            serving(p)
                .flat_map(|c| &c.ports)
                .filter(|d| d.protocol.as_deref().unwrap_or("TCP") == protocol)
                .map(|d| (d.name.clone(), d.container_port))
                .collect()
        };
        let all: Vec<(Option<String>, u16)> = pods.iter().flat_map(|p| declared(p)).collect();
        // The port is there, and speaks the other protocol.
        let other = pods
            .iter()
            .flat_map(|p| serving(p))
            .flat_map(|c| &c.ports)
            .find(|d| match &target {
                PortRef::Name(name) => d.name.as_ref() == Some(name),
                PortRef::Number(n) => d.container_port == *n,
            })
            .map(|d| d.protocol.clone().unwrap_or_else(|| "TCP".into()))
            .filter(|p| p != protocol);
        // One that serves both protocols of a port often declares one of them only.
        let both = s.spec.ports.iter().filter(|p| p.target_port == port.target_port && p.port == port.port).count() > 1;
        let (missing, confidence) = match &target {
            // A name that no pod declares is proof: the Service has no endpoint port.
            PortRef::Name(name) => (!all.iter().any(|(n, _)| n.as_deref() == Some(name)), Confidence::Established),
            // A number works without being declared; where every container declares others it is probably wrong.
            PortRef::Number(n) => {
                // Clients of a headless Service go to the pods themselves.
                let answers = headless || said.contains(n) || probed.contains(n) || all.iter().any(|(_, p)| p == n);
                (!answers && (told || by_words || (other.is_some() && !both)), Confidence::Likely)
            }
        };
        if !missing {
            continue;
        }
        let mut offered: Vec<String> =
            all.iter().map(|(n, p)| n.as_ref().map_or_else(|| p.to_string(), |n| format!("{n} ({p})"))).collect();
        offered.sort();
        offered.dedup();
        let owner = cx.owner(pods[0]).subject;
        let renamed = changed_ports(cx, me, &owner);
        let since = [me, &owner]
            .into_iter()
            .filter_map(|o| changed_at(cx, o))
            .max()
            .or(s.metadata.creation_timestamp)
            .unwrap_or_else(|| cx.now.get());
        let mut f = finding("service-port-wrong", me.clone(), me, Severity::High, since);
        f.part = port.name.clone().unwrap_or_else(|| port.port.to_string());
        f.headline = format!("sends traffic to port {target}, which its pods do not offer");
        f.started_basis = "Service created or changed".into();
        f.hold = hold(PORT);
        // A number need not be declared to be served: what has been so for long is as somebody wants it.
        if confidence < Confidence::Established && cx.now.beyond(since, selector::LATELY) {
            f.hold = Finding::JOINS_ONLY;
        }
        let offers = if !offered.is_empty() {
            format!("declare {}", words::list(&offered, 4))
        } else if by_words {
            let said: Vec<String> = said.iter().map(ToString::to_string).collect();
            format!("listen on {}, by their arguments or environment", words::list(&said, 4))
        } else {
            "declare no port".to_owned()
        };
        f.message = format!("Service {} port {} has target port {target}, but its pods {offers}", me.name, port.port);
        let item = object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "ports",
            format!("Service {}: port {} → target port {target}", me.name, port.port),
            &[("port", port.port.to_string()), ("targetPort", target.to_string()), ("pods", offers.clone())],
            since,
        );
        let (rule, field, text) = match &other {
            Some(other) => (
                "service-protocol-wrong",
                "protocol",
                format!(
                    "Port {} of Service {} is {protocol}, and its target port {target} of {owner} is {other}: nothing answers {protocol} there.",
                    port.port, me.name
                ),
            ),
            None => (
                "service-target-port-wrong",
                "targetPort",
                format!(
                    "Port {} of Service {} leads to target port {target}, which no container of {owner} has: they {offers}.",
                    port.port, me.name
                ),
            ),
        };
        let mut c = cause(rule, confidence, me.clone(), text);
        c.field = Some(format!("spec.ports[{}].{field}", f.part));
        c.referrer = Some(owner.clone());
        // Whoever was changed last broke it: the Service was right before the containers' ports were changed.
        if let Some(path) = renamed {
            c.entity = owner.clone();
            c.referrer = Some(me.clone());
            c.field = Some(path);
            f.actions.extend(undo(&owner, "its ports were those the Service sends traffic to"));
        }
        c.evidence = vec![item.key.clone()];
        c.signs.pro = 2;
        f.evidence.push(item);
        f.causes.push(c);
        f.actions.push(edit(ActionKind::SetServicePort, me, "the target port must be one its pods offer"));
        cx.report(f);
    }
}

/// The ports that a container's arguments or environment say it listens on.
fn listens(c: &Container) -> Vec<u16> {
    static OPTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:^|\s)(?:-p|--?port|--?http-port|--?listen(?:-port|-addr|-address)?|--?bind|--?addr|http\.server)[ =]+(?:[0-9.]*:)?(\d{2,5})(?:\s|$|;|&)").ok()
    });
    let text = c.command.iter().chain(&c.args).map(String::as_str).collect::<Vec<_>>().join(" ");
    let options = OPTION.iter().flat_map(|r| r.captures_iter(&text)).filter_map(|m| m.get(1)?.as_str().parse().ok());
    let variables = c
        .env
        .iter()
        .filter(|e| matches!(e.name.as_str(), "PORT" | "HTTP_PORT" | "SERVER_PORT" | "LISTEN_PORT" | "APP_PORT"))
        .filter_map(|e| e.value.as_deref()?.parse().ok());
    options.chain(variables).collect()
}

/// The ports that its probes ask.
fn probed(c: &Container) -> Vec<u16> {
    let probes = [&c.readiness_probe, &c.liveness_probe, &c.startup_probe];
    probes.into_iter().flatten().filter_map(|p| p.port()?.parse().ok()).collect()
}

/// The path of the container ports of the workload, where they were changed after the Service was.
fn changed_ports(cx: &Context<'_>, me: &ObjectRef, owner: &ObjectRef) -> Option<String> {
    let own = changes_of(cx, me).filter(|c| touches(c, "spec.ports")).map(|c| c.at).max();
    changes_of(cx, owner).filter(|c| own.is_none_or(|t| c.at > t)).find_map(|c| {
        let field = c.fields.iter().find(|f| f.path.starts_with("spec.template") && f.path.contains("].ports"))?;
        field.path.find("].ports").map(|i| format!("{}].ports", &field.path[..i]))
    })
}

/// A Service that finds the pods of two workloads, one of which does not offer what it sends there.
pub(super) fn mixed(cx: &mut Context<'_>, s: &Service, me: &ObjectRef, pods: &[&Pod]) {
    if s.spec.cluster_ip.as_deref() == Some("None") {
        return;
    }
    // A name finds only the pods that have the port: what is sent by number reaches every pod.
    let targets: Vec<u16> = s
        .spec
        .ports
        .iter()
        .map(|p| match &p.target_port {
            PortRef::Number(0) => Some(p.port),
            PortRef::Number(n) => Some(*n),
            PortRef::Name(_) => None,
        })
        .collect::<Option<_>>()
        .unwrap_or_default();
    let one = pods.first().and_then(|p| p.metadata.controller()).map(|c| &c.uid);
    if targets.is_empty() || pods.iter().all(|p| p.metadata.controller().map(|c| &c.uid) == one) {
        return;
    }
    let mut controllers: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in pods.iter().copied().filter(|p| p.ready()) {
        let Some(controller) = pod.metadata.controller() else { return };
        controllers.entry(&controller.uid).or_default().push(pod);
    }
    if controllers.len() < 2 {
        return;
    }
    let mut groups: BTreeMap<String, (ObjectRef, Vec<&Pod>)> = BTreeMap::new();
    for (_, pods) in controllers {
        let owner = cx.owner(pods[0]).subject;
        if !matches!(owner.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet") {
            return;
        }
        groups.entry(owner.key()).or_insert_with(|| (owner, Vec::new())).1.extend(pods);
    }
    if groups.len() < 2 {
        return;
    }
    let offers = |pods: &[&Pod]| {
        pods.iter().any(|p| serving(p).flat_map(|c| &c.ports).any(|d| targets.contains(&d.container_port)))
    };
    let tells = |pods: &[&Pod]| pods.iter().all(|p| serving(p).all(|c| !c.ports.is_empty()));
    let Some((right, _)) = groups.values().find(|(_, pods)| offers(pods)) else { return };
    let Some((wrong, theirs)) = groups.values().find(|(_, pods)| !offers(pods) && tells(pods)) else { return };
    let declared: Vec<String> = {
        let mut all: Vec<String> = theirs
            .iter()
            .flat_map(|p| serving(p))
            .flat_map(|c| &c.ports)
            .map(|d| {
                d.name.as_ref().map_or_else(|| d.container_port.to_string(), |n| format!("{n} ({})", d.container_port))
            })
            .collect();
        all.sort();
        all.dedup();
        all
    };
    let selector = selector_text(s);
    let since = [me, wrong, right]
        .into_iter()
        .filter_map(|o| changed_at(cx, o))
        .max()
        .or(s.metadata.creation_timestamp)
        .unwrap_or_else(|| cx.now.get());
    let mut f = finding("service-mixes-workloads", me.clone(), me, Severity::High, since);
    f.headline = "sends part of its traffic to pods of another workload".into();
    f.started_basis = "Service or workload made or changed".into();
    f.hold = hold(selector::HOLD);
    let wanted: Vec<String> = targets.iter().map(ToString::to_string).collect();
    f.message = format!("Service {} selects {selector}: the pods of {right} and of {wrong}", me.name);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "mixed",
        format!("Service {} selects {selector}, pods of {right} and of {wrong}", me.name),
        &[
            ("selector", selector.clone()),
            ("targetPort", wanted.join(", ")),
            ("offers it", right.to_string()),
            ("does not", format!("{wrong}: {}", declared.join(", "))),
        ],
        since,
    );
    let mut c = cause(
        "service-selector-too-wide",
        Confidence::Likely,
        me.clone(),
        format!(
            "The selector {selector} of Service {} matches the pods of {right} and {} of {wrong} too, which declare {} and not {}: that part of the connections is refused.",
            me.name,
            words::count(theirs.len(), "pod"),
            words::list(&declared, 3),
            words::list(&wanted, 3)
        ),
    );
    c.field = Some("spec.selector".into());
    c.referrer = Some(wrong.clone());
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    f.evidence.push(item);
    f.causes.push(c);
    f.actions.push(edit(ActionKind::SetServiceSelector, me, "it must select the pods of one workload only"));
    cx.report(f);
}
