//! What is done once in a while by the one process that lives beside no other of its name: the morning note, and
//! letting go of what is older than its time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use afterwatch_core::{
    incident::{Incident, IncidentId},
    notification,
    port::{
        Store, StoreError,
        store::{IncidentKey, Pruning},
    },
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
        let store = Arc::clone(&self.0.ports.store);
        tokio::spawn(async move {
            let keep = move |store: &dyn Store| {
                let mut all = held(store)?;
                all.entry(id).or_insert(now);
                store.set_setting(HELD, &json!(all))
            };
            if let Err(error) = blocking(&store, keep).await {
                tracing::warn!(%error, "an incident was not kept for the morning note");
            }
        });
    }

    /// Looks after the house from now on.
    pub(crate) fn keep_house(&self) {
        if !self.0.options.alone {
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
                if pruned.is_none_or(|at| now.duration_since(at) >= PRUNE) {
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

    /// The morning note, where one is due: of what waited since before the last morning.
    async fn morning(&self, now: Timestamp) -> Result<(), StoreError> {
        let Inner { options, ports, .. } = &*self.0;
        let Some(morning) = self.known_settings().notifications.last_morning(now, &options.zone) else { return Ok(()) };
        let due = blocking(&ports.store, move |store| {
            let (due, waiting): (Held, Held) = held(store)?.into_iter().partition(|(_, since)| *since < morning);
            if !due.is_empty() {
                store.set_setting(HELD, &json!(waiting))?;
            }
            let found = |id: &IncidentId| store.incident(&IncidentKey::Id(*id)).ok();
            let incidents: Vec<Incident> = due.keys().filter_map(found).collect();
            Ok((due.values().min().copied(), incidents))
        })
        .await?;
        let (Some(since), incidents) = due else { return Ok(()) };
        // What was told after all, or went into another, is not told again.
        let incidents: Vec<&Incident> =
            incidents.iter().filter(|i| i.notifications == 0 && i.merged_into.is_none()).collect();
        let Some(mut notice) = notification::morning(&incidents, since, &options.zone) else { return Ok(()) };
        if self.known_settings().notifications.hide_names {
            notice = notification::hidden(notice, incidents[0], &options.zone);
        }
        if options.notify == NotifyMode::Send
            && let Err(error) = self.show(notice).await
        {
            tracing::warn!(%error, "the morning note could not be shown");
        }
        Ok(())
    }

    /// Lets go of what is older than the user wants it kept, in small steps.
    pub(crate) async fn prune(&self, now: Timestamp) {
        let retention = self.known_settings().retention;
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
                Ok(pruned) if pruned.excerpts == 0 => return,
                Ok(pruned) => tracing::info!(pruned.excerpts, pruned.changes, "old evidence was let go of"),
                Err(error) => return tracing::warn!(%error, "old evidence could not be let go of"),
            }
            // Between the steps others may write.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
