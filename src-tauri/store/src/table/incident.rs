//! Incidents: the row, and putting one together from its tables.

use std::collections::BTreeSet;

use afterwatch_core::{
    incident::{Head, Incident, IncidentId},
    object::ObjectRef,
    port::{
        StoreError,
        store::{Extent, IncidentKey, IncidentQuery, Saved},
    },
};
use rusqlite::{Connection, OptionalExtension, Transaction, named_params, types::Value};
use uuid::Uuid;

use super::{evidence, finding, incident_change, moment, next, read_body, read_moment, search, timeline, word};
use crate::error::Fail;

/// What is there of an incident before it is written.
struct Existing {
    row: i64,
    number: u64,
    revision: u64,
}

/// Writes an incident whole unless somebody else wrote it since this copy was read.
pub(crate) fn save(tx: &Transaction<'_>, incident: &Incident) -> Result<Saved, Fail> {
    let existing = tx
        .prepare_cached("SELECT row, number, revision FROM incidents WHERE id = ?1")?
        .query_row([incident.id.to_string()], |row| {
            Ok(Existing { row: row.get(0)?, number: row.get(1)?, revision: row.get(2)? })
        })
        .optional()?;
    if let Some(existing) = &existing
        && existing.revision != incident.revision
    {
        return Ok(Saved::Conflict(Box::new(load(tx, existing.row)?)));
    }
    if existing.is_none() && incident.revision > 0 {
        return Ok(Saved::Gone);
    }
    let revision = next(tx, "revision")?;
    let number = match &existing {
        Some(existing) => existing.number,
        None => free_number(tx, incident.number)?,
    };
    let row = write_row(tx, existing.as_ref().map(|e| e.row), incident, number, revision)?;
    write_namespaces(tx, row, incident)?;
    finding::save(tx, row, &incident.findings)?;
    incident_change::save(tx, row, &incident.changes)?;
    evidence::save(tx, row, &incident.evidence)?;
    timeline::save(tx, row, &incident.timeline)?;
    search::put(tx, row, "head", &head(incident, number))?;
    Ok(Saved::Written { number, revision })
}

/// One incident by what a person called it.
pub(crate) fn find(connection: &Connection, key: &IncidentKey) -> Result<Incident, Fail> {
    let rows: Vec<i64> = match key {
        IncidentKey::Id(id) => super::row_of(connection, *id)?.into_iter().collect(),
        IncidentKey::Number(number) => {
            // More than the database can count to is simply not there.
            let number = i64::try_from(*number).unwrap_or(0);
            rows(connection, "SELECT row FROM incidents WHERE number = ?1", [Value::from(number)])?
        }
        IncidentKey::Prefix(prefix) if prefix.is_empty() => Vec::new(),
        IncidentKey::Prefix(prefix) => rows(
            connection,
            "SELECT row FROM incidents WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2",
            [Value::from(prefix.clone())],
        )?,
    };
    let said = || match key {
        IncidentKey::Id(id) => id.to_string(),
        IncidentKey::Number(number) => format!("INC-{number}"),
        IncidentKey::Prefix(prefix) => prefix.clone(),
    };
    match rows[..] {
        [] => Err(StoreError::NoIncident(said()).into()),
        [row] => load(connection, row),
        _ => Err(StoreError::Ambiguous(said()).into()),
    }
}

/// Incidents that fit, newest first.
pub(crate) fn list(connection: &Connection, query: &IncidentQuery) -> Result<Vec<Incident>, Fail> {
    let Some((sql, values)) = newest_first("SELECT i.row", query) else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for row in rows(connection, &sql, values)? {
        match load(connection, row) {
            Ok(incident) => out.push(incident),
            // One that a newer program wrote must not hide the others.
            Err(Fail::Data(error)) => tracing::warn!(row, error, "an incident of the history cannot be read"),
            Err(fail) => return Err(fail),
        }
    }
    Ok(out)
}

/// The same, without what is recorded under them.
pub(crate) fn heads(connection: &Connection, query: &IncidentQuery) -> Result<Vec<Head>, Fail> {
    let Some((sql, values)) = newest_first("SELECT i.number, i.revision, i.body", query) else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, revision): (u64, u64) = (row.get(0)?, row.get(1)?);
        let body = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        match read_body::<Head>(&format!("INC-{number}"), body) {
            Ok(head) => out.push(Head { number, revision, ..head }),
            Err(Fail::Data(error)) => tracing::warn!(number, error, "an incident of the history cannot be read"),
            Err(fail) => return Err(fail),
        }
    }
    Ok(out)
}

/// How many fit.
pub(crate) fn count(connection: &Connection, query: &IncidentQuery) -> Result<u32, Fail> {
    let Some((sql, values)) = fitting("SELECT count(*)", query) else { return Ok(0) };
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))?)
}

/// What the history spans.
pub(crate) fn extent(connection: &Connection) -> Result<Extent, Fail> {
    let since: Option<String> = connection.query_row(
        "SELECT min(at) FROM (SELECT min(from_at) AS at FROM coverage UNION ALL SELECT min(detected_at) FROM incidents)",
        [],
        |row| row.get(0),
    )?;
    let mut statement = connection.prepare_cached("SELECT DISTINCT cluster FROM incidents ORDER BY cluster")?;
    let clusters = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Extent { since: since.as_deref().map(read_moment).transpose()?, clusters })
}

/// Deletes one and everything under it.
pub(crate) fn delete(tx: &Transaction<'_>, id: IncidentId) -> Result<(), Fail> {
    let gone = tx.execute("DELETE FROM incidents WHERE id = ?1", [id.to_string()])?;
    if gone == 0 {
        return Err(StoreError::NoIncident(id.to_string()).into());
    }
    next(tx, "revision")?;
    Ok(())
}

fn newest_first(select: &str, query: &IncidentQuery) -> Option<(String, Vec<Value>)> {
    let (mut sql, mut values) = fitting(select, query)?;
    sql.push_str(" ORDER BY i.detected_at DESC, i.number DESC LIMIT ? OFFSET ?");
    values.push(Value::from(query.limit.map_or(-1, i64::from)));
    values.push(Value::from(i64::from(query.offset)));
    Some((sql, values))
}

/// The query without its order; `None` where nothing can fit.
fn fitting(select: &str, query: &IncidentQuery) -> Option<(String, Vec<Value>)> {
    let mut sql = format!("{select} FROM incidents i WHERE TRUE");
    let mut values: Vec<Value> = Vec::new();
    if query.open {
        sql.push_str(" AND i.state <> 'resolved'");
    }
    if let Some(since) = query.since {
        sql.push_str(" AND (i.resolved_at IS NULL OR i.resolved_at >= ?)");
        values.push(moment(since).into());
    }
    if !query.clusters.is_empty() {
        sql.push_str(&format!(" AND i.cluster IN ({})", marks(query.clusters.len())));
        values.extend(query.clusters.iter().cloned().map(Value::from));
    }
    if let Some(severity) = &query.severity {
        sql.push_str(" AND i.severity = ?");
        values.push(word(severity).ok()?.into());
    }
    if let Some(uid) = &query.cluster_uid {
        sql.push_str(" AND i.cluster_uid = ?");
        values.push(uid.clone().into());
    }
    if !query.namespaces.is_empty() {
        let marks = marks(query.namespaces.len());
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM incident_namespaces n WHERE n.incident = i.row AND n.namespace IN ({marks}))"
        ));
        values.extend(query.namespaces.iter().cloned().map(Value::from));
    }
    if let Some(text) = query.search.as_deref().filter(|text| !text.trim().is_empty()) {
        let words = search::words(text);
        if words.is_empty() {
            // Punctuation alone names nothing that could be found.
            return None;
        }
        for word in words {
            sql.push_str(search::CONTAINS);
            values.push(word.into());
        }
    }
    Some((sql, values))
}

/// Incidents written after the revision, their notes and post-mortem included, oldest write first.
pub(crate) fn changed_since(connection: &Connection, revision: u64) -> Result<Vec<(IncidentId, u64)>, Fail> {
    let mut statement = connection.prepare_cached(
        "SELECT id, max(revision) AS newest FROM (
             SELECT id, revision FROM incidents WHERE revision > ?1
             UNION ALL
             SELECT i.id, n.revision FROM notes n JOIN incidents i ON i.row = n.incident WHERE n.revision > ?1
             UNION ALL
             SELECT i.id, d.revision FROM drafts d JOIN incidents i ON i.row = d.incident WHERE d.revision > ?1
         ) GROUP BY id ORDER BY newest",
    )?;
    let mut rows = statement.query([i64::try_from(revision).unwrap_or(i64::MAX)])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        let id = Uuid::parse_str(&id).map_err(|error| Fail::Data(format!("the id {id}: {error}")))?;
        out.push((IncidentId(id), row.get(1)?));
    }
    Ok(out)
}

/// Puts an incident together.
pub(crate) fn load(connection: &Connection, row: i64) -> Result<Incident, Fail> {
    let (number, revision, body): (u64, u64, String) = connection
        .prepare_cached("SELECT number, revision, body FROM incidents WHERE row = ?1")?
        .query_row([row], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    let mut incident: Incident = read_body(&format!("INC-{number}"), &body)?;
    incident.number = number;
    incident.revision = revision;
    incident.findings = finding::load(connection, row)?;
    incident.changes = incident_change::load(connection, row)?;
    incident.evidence = evidence::load(connection, row)?;
    incident.timeline = timeline::load(connection, row)?;
    Ok(incident)
}

/// The number asked for when it is free (an incident brought from elsewhere), else the next one. Numbers are never
/// given twice, even after the incident is gone.
fn free_number(tx: &Transaction<'_>, wanted: u64) -> Result<u64, Fail> {
    if wanted > 0 && i64::try_from(wanted).is_ok() {
        let taken: bool = tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM incidents WHERE number = ?1)")?
            .query_row([wanted], |row| row.get(0))?;
        if !taken {
            tx.prepare_cached("UPDATE counters SET value = max(value, ?1) WHERE name = 'number'")?.execute([wanted])?;
            return Ok(wanted);
        }
    }
    next(tx, "number")
}

fn write_row(
    tx: &Transaction<'_>,
    row: Option<i64>,
    incident: &Incident,
    number: u64,
    revision: u64,
) -> Result<i64, Fail> {
    let mut scalars = incident.clone();
    scalars.number = number;
    scalars.revision = revision;
    scalars.findings.clear();
    scalars.changes.clear();
    scalars.evidence.clear();
    scalars.timeline.clear();
    let mut statement = tx.prepare_cached(
        "INSERT INTO incidents (row, id, number, revision, fingerprint, cluster, cluster_uid, state, severity, title,
             subject_kind, subject_namespace, subject_name, started_at, detected_at, acknowledged_at, mitigated_at,
             resolved_at, body)
         VALUES (:row, :id, :number, :revision, :fingerprint, :cluster, :cluster_uid, :state, :severity, :title,
             :subject_kind, :subject_namespace, :subject_name, :started_at, :detected_at, :acknowledged_at,
             :mitigated_at, :resolved_at, :body)
         ON CONFLICT (row) DO UPDATE SET revision = excluded.revision, fingerprint = excluded.fingerprint,
             cluster = excluded.cluster, cluster_uid = excluded.cluster_uid, state = excluded.state,
             severity = excluded.severity, title = excluded.title, subject_kind = excluded.subject_kind,
             subject_namespace = excluded.subject_namespace, subject_name = excluded.subject_name,
             started_at = excluded.started_at, detected_at = excluded.detected_at,
             acknowledged_at = excluded.acknowledged_at, mitigated_at = excluded.mitigated_at,
             resolved_at = excluded.resolved_at, body = excluded.body
         RETURNING row",
    )?;
    Ok(statement.query_row(
        named_params! {
            ":row": row,
            ":id": incident.id.to_string(),
            ":number": number,
            ":revision": revision,
            ":fingerprint": incident.fingerprint,
            ":cluster": incident.cluster,
            ":cluster_uid": incident.cluster_uid,
            ":state": word(&incident.state)?,
            ":severity": word(&incident.severity)?,
            ":title": incident.title,
            ":subject_kind": incident.subject.kind,
            ":subject_namespace": incident.subject.namespace,
            ":subject_name": incident.subject.name,
            ":started_at": incident.started_at.map(moment),
            ":detected_at": moment(incident.detected_at),
            ":acknowledged_at": incident.acknowledged_at.map(moment),
            ":mitigated_at": incident.mitigated_at.map(moment),
            ":resolved_at": incident.resolved_at.map(moment),
            ":body": serde_json::to_string(&scalars)?,
        },
        |row| row.get(0),
    )?)
}

/// The same notion as [`Incident::touches`], in a form that can be queried.
fn write_namespaces(tx: &Transaction<'_>, row: i64, incident: &Incident) -> Result<(), Fail> {
    fn of(object: &ObjectRef) -> impl Iterator<Item = &str> {
        let itself = (object.kind == "Namespace").then_some(object.name.as_str());
        object.namespace.as_deref().into_iter().chain(itself)
    }
    let causes = incident.causes.iter().flat_map(|c| std::iter::once(&c.entity).chain(&c.referrer));
    let symptoms = incident.findings.iter().map(|f| &f.object);
    let namespaces: BTreeSet<&str> =
        std::iter::once(&incident.subject).chain(causes).chain(symptoms).flat_map(of).collect();
    tx.prepare_cached("DELETE FROM incident_namespaces WHERE incident = ?1")?.execute([row])?;
    let mut insert = tx.prepare_cached("INSERT INTO incident_namespaces (incident, namespace) VALUES (?1, ?2)")?;
    for namespace in namespaces {
        insert.execute((row, namespace))?;
    }
    Ok(())
}

/// What an incident is found by besides its evidence, timeline and notes.
fn head(incident: &Incident, number: u64) -> String {
    let subject = &incident.subject;
    let mut lines = vec![
        format!("INC-{number} {}", incident.title),
        format!("{} {} {}", subject.kind, subject.namespace.as_deref().unwrap_or(""), subject.name),
        incident.cluster.clone(),
    ];
    for cause in &incident.causes {
        lines.push(format!("{} {} {} {}", cause.statement, cause.rule_id, cause.entity.kind, cause.entity.name));
    }
    lines.join("\n")
}

fn rows<P: IntoIterator<Item = Value>>(connection: &Connection, sql: &str, values: P) -> Result<Vec<i64>, Fail> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn marks(n: usize) -> String {
    vec!["?"; n].join(", ")
}
