//! Recorded history in, incidents and Markdown out, as reviewed snapshots.
//!
//! A recording is what the cluster adapter observed on a real cluster, one observation per line, redacted and without
//! what does not belong to the story (`record.rs` says how one is made). It is played through index, rules and ledger
//! at its own times; no clock of this machine takes part, so the same recording always gives the same text.

mod hostile;
mod play;
mod record;
mod recording;
mod story;
