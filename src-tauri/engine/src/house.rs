//! What is done once in a while by the one process that lives beside no other of its name: the morning note, and
//! letting go of what is older than its time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use afterwatch_core::{
    evidence::Observed,
    incident::{Incident, IncidentId},
    ledger, notification,
    port::{
        Store, StoreError,
        store::{IncidentKey, Pruning},
    },
    timeline::EntryKind,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::session::{Engine, Inner, NotifyMode, blocking};

/// The incidents that wait for the morning note, and since when.
const HELD: &str = "held_notes";

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(20);

/// How often old things are let go of; the first time soon after the start.
const PRUNE: SignedDuration = SignedDuration::from_hours(6);

type Held = BTreeMap<IncidentId, Timestamp>;

fn held(store: &dyn Store) -> Result<Held, StoreError> {
    Ok(store.setting(HELD)?.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
}

impl Engine {
    /// Keeps an incident for the morning note, through a restart, too.
    pub(crate) fn hold(&self, id: IncidentId, now: Timestamp) {
        if self.0.options.notify != NotifyMode::Send {
            return;
        }
        let engine = self.clone();
        tokio::spawn(async move {
            let _turn = engine.0.setting_turn.lock().await;
            let keep = move |store: &dyn Store| {
                let mut all = held(store)?;
                all.entry(id).or_insert(now);
                store.set_setting(HELD, &json!(all))
            };
            if let Err(error) = blocking(&engine.0.ports.store, keep).await {
                tracing::warn!(%error, "an incident was not kept for the morning note");
            }
        });
    }

    /// Looks after the house from now on.
    pub(crate) fn keep_house(&self) {
        if self.0.options.notify != NotifyMode::Send {
            return;
        }
        let weak = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut pruned: Option<Timestamp> = None;
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(inner) = weak.upgrade() else { return };
                let engine = Engine(inner);
                let now = engine.0.ports.clock.now();
                if let Err(error) = engine.morning(now).await {
                    tracing::warn!(%error, "the morning note could not be made");
                }
                if engine.0.options.alone && pruned.is_none_or(|at| now.duration_since(at) >= PRUNE) {
                    pruned = Some(now);
                    engine.prune(now).await;
                }
            }
        });
    }

    /// Shows the morning note where one is due; the app does so by itself.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn morning_note(&self) -> Result<(), StoreError> {
        self.morning(self.0.ports.clock.now()).await
    }

    /// The morning note, where one is due: of what waited since before the last morning. What it could not tell waits on.
    async fn morning(&self, now: Timestamp) -> Result<(), StoreError> {
        let Inner { options, ports, .. } = &*self.0;
        let policy = self.settings().await?.notifications;
        let Some(morning) = policy.last_morning(now, &options.zone) else { return Ok(()) };
        let (due, incidents) = blocking(&ports.store, move |store| {
            let mut due = held(store)?;
            due.retain(|_, since| *since < morning);
            let mut incidents: Vec<Incident> = Vec::new();
            for id in due.keys() {
                match store.incident(&IncidentKey::Id(*id)) {
                    Ok(incident) => incidents.push(incident),
                    Err(StoreError::NoIncident(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok((due, incidents))
        })
        .await?;
        let Some(since) = due.values().min().copied() else { return Ok(()) };
        // What was told after all, or went into another, is not told again.
        let told: Vec<&Incident> =
            incidents.iter().filter(|i| i.notifications == 0 && i.merged_into.is_none()).collect();
        if let Some(mut notice) = notification::morning(&told, since, &options.zone) {
            if policy.hide_names {
                notice = notification::hidden(notice, told[0], &options.zone);
            }
            if let Err(error) = self.show(notice).await {
                tracing::warn!(%error, "the morning note could not be shown and waits");
                return Ok(());
            }
            for incident in &told {
                let line = |i: &mut Incident, now: Timestamp| {
                    let text = "Told in the morning note".to_owned();
                    ledger::push(i, now, EntryKind::Notification, None, text, Vec::new(), Observed::Live);
                };
                self.edit(IncidentKey::Id(incident.id), line).await?;
            }
        }
        let _turn = self.0.setting_turn.lock().await;
        blocking(&ports.store, move |store| {
            let mut waiting = held(store)?;
            waiting.retain(|id, _| !due.contains_key(id));
            store.set_setting(HELD, &json!(waiting))
        })
        .await
    }

    /// Lets go of what is older than the user wants it kept, in small steps.
    pub(crate) async fn prune(&self, now: Timestamp) {
        // Read anew: nothing is let go of by settings that nobody chose.
        let retention = match self.settings().await {
            Ok(settings) => settings.retention,
            Err(error) => return tracing::warn!(%error, "nothing is let go of: the settings cannot be read"),
        };
        let before = |days: Option<u32>| {
            let hours = i64::from(days?).checked_mul(24)?;
            now.checked_sub(SignedDuration::from_hours(hours)).ok()
        };
        let older = Pruning {
            evidence_before: before(retention.evidence_days),
            changes_before: before(retention.changes_days),
        };
        loop {
            match blocking(&self.0.ports.store, move |store| store.prune(&older)).await {
                Ok(pruned) if pruned.excerpts + pruned.changes == 0 => return,
                Ok(pruned) => tracing::info!(pruned.excerpts, pruned.changes, "old evidence was let go of"),
                Err(error) => return tracing::warn!(%error, "old evidence could not be let go of"),
            }
            // Between the steps others may write.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
