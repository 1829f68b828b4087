//! Every rule against its fault, its look-alikes and the healthy case; what is grouped; what the ledger makes of it.

mod admission;
mod again;
mod asked;
mod autoscale;
mod blame;
mod budget;
mod calm;
mod cascade;
mod change;
mod claims;
mod complaint;
mod container;
mod crash;
mod creation;
mod cron;
mod custom;
mod deletion;
mod determinism;
mod dns;
mod drift;
mod everyday;
mod gateway;
mod graph;
mod grouping;
mod history;
mod image;
mod ingress;
mod isolation;
mod ledger;
mod load;
mod logs;
mod lookup;
mod mounting;
mod network;
mod node;
mod noise;
mod placement;
mod placement_added;
mod placement_node;
mod placement_volume;
mod policy;
mod probe;
mod quiet;
mod refusal;
mod reopening;
mod rollout;
mod scheduling;
mod service;
mod settings;
mod split;
mod stale;
mod storage;
mod support;
mod suspect;
mod unlooked;
mod unseen;
mod upstream;
mod workload;

use std::collections::BTreeSet;

use afterwatch_core::detect;

/// A rule's id and the test that shows its fault.
type Shown = (&'static str, fn());

/// The fault tests by the rule they prove.
const FAULTS: &[&[Shown]] = &[
    crash::FAULTS,
    image::FAULTS,
    container::FAULTS,
    probe::FAULTS,
    scheduling::FAULTS,
    workload::FAULTS,
    everyday::FAULTS,
    rollout::FAULTS,
    cron::FAULTS,
    deletion::FAULTS,
    storage::FAULTS,
    node::FAULTS,
    network::FAULTS,
    claims::FAULTS,
    creation::FAULTS,
    asked::FAULTS,
    service::FAULTS,
    ingress::FAULTS,
    gateway::FAULTS,
    dns::FAULTS,
    admission::FAULTS,
    autoscale::FAULTS,
    budget::FAULTS,
    isolation::FAULTS,
    unseen::FAULTS,
    stale::FAULTS,
    custom::FAULTS,
];

#[test]
fn every_rule_has_a_test_of_its_fault() {
    let mut proven = BTreeSet::new();
    for (rule, fault) in FAULTS.iter().copied().flatten() {
        support::begin();
        fault();
        assert!(support::seen().contains(*rule), "the test listed for {rule} does not find it");
        proven.insert(*rule);
    }
    let unproven: Vec<&str> = detect::rules().map(|r| r.id).filter(|id| !proven.contains(id)).collect();
    assert!(unproven.is_empty(), "rules without a test of their fault: {unproven:?}");
}

#[test]
fn rules_have_unique_ids_in_kebab_case_and_say_what_they_mean_and_where_it_is_written() {
    let mut ids = BTreeSet::new();
    for rule in detect::rules() {
        assert!(ids.insert(rule.id), "{} is there twice", rule.id);
        assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.id);
        assert!(rule.means.ends_with('.') && rule.means.len() > 20, "{} says too little", rule.id);
        assert!(!rule.source.is_empty() && !rule.reads.is_empty(), "{} names no source", rule.id);
        assert!(!rule.holds.is_empty() && !rule.severities.is_empty(), "{} says neither when nor how bad", rule.id);
        assert!(!rule.limits.is_empty(), "{} does not say when it is silent", rule.id);
        for sentence in rule.limits {
            assert!(sentence.ends_with('.'), "{}: {sentence}", rule.id);
        }
    }
}
