//! Who records a cluster. A lease that ran out is anybody's.

use afterwatch_core::port::store::Lease;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};
use uuid::Uuid;

use super::{moment, read_moment};
use crate::error::Fail;

/// Takes or renews; the inner error is the lease of the one who holds it.
pub(crate) fn take(
    tx: &Transaction<'_>,
    cluster: &str,
    lease: &Lease,
    now: Timestamp,
) -> Result<Result<(), Lease>, Fail> {
    let held: Option<(String, String, String)> = tx
        .prepare_cached("SELECT holder, holder_name, expires_at FROM leases WHERE cluster = ?1")?
        .query_row([cluster], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    if let Some((holder, holder_name, expires_at)) = held {
        let holder = Uuid::parse_str(&holder).map_err(|error| Fail::Data(format!("the holder {holder}: {error}")))?;
        let held = Lease { holder, holder_name, expires_at: read_moment(&expires_at)? };
        if held.holder != lease.holder && held.expires_at > now {
            return Ok(Err(held));
        }
    }
    tx.prepare_cached(
        "INSERT INTO leases (cluster, holder, holder_name, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (cluster) DO UPDATE SET holder = excluded.holder, holder_name = excluded.holder_name,
             expires_at = excluded.expires_at",
    )?
    .execute((cluster, lease.holder.to_string(), &lease.holder_name, moment(lease.expires_at)))?;
    Ok(Ok(()))
}

/// Gives back what this holder has; another one's stays.
pub(crate) fn release(tx: &Transaction<'_>, cluster: &str, holder: Uuid) -> Result<(), Fail> {
    tx.prepare_cached("DELETE FROM leases WHERE cluster = ?1 AND holder = ?2")?
        .execute((cluster, holder.to_string()))?;
    Ok(())
}
