//! What was recorded.

use std::collections::BTreeMap;

use afterwatch_contract::document::{ChangeDto, CoverageSpan, EvidenceDto, TimelineDto};
use afterwatch_core::{
    incident::Incident,
    port::{
        Store,
        store::{IncidentKey, IncidentQuery},
    },
    words,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    args::{Format, Incidents},
    context::{Context, Database, Desk},
    failure::{Failure, Outcome, exit},
    output::{Closing, Part, closing, incident as sheet, incident_line, inert, list, rows},
};

/// The history, newest first.
pub async fn incidents(context: &Context, args: Incidents) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let since = args.since.map(|s: SignedDuration| context.out.look.now.checked_sub(s).unwrap_or(Timestamp::MIN));
    let query = IncidentQuery {
        open: args.open,
        since,
        search: args.search.clone(),
        clusters: context.common.context.clone(),
        namespaces: context.common.namespace.clone(),
        limit: args.limit,
        ..IncidentQuery::default()
    };
    let found = desk.engine.incidents(query).await?;
    let document = Closing {
        coverage: coverage(&desk, &found).await?,
        notifications_sent: found.iter().map(|i| i.notifications).sum(),
        ..Closing::default()
    }
    .document(desk.dtos(&found).await?);
    let lines = || document.incidents.iter().map(incident_line).chain([closing(&document)]).collect();
    context.out.show(&document, lines, |page| {
        if found.is_empty() {
            page.line(nothing(&desk, &args));
        } else {
            list::incidents(page, &found);
        }
    })?;
    let open = found.iter().any(|i| i.state.is_open());
    Ok(if args.fail_on_open && open { exit::OPEN_INCIDENTS } else { exit::DONE })
}

/// One incident whole.
pub async fn incident(context: &Context, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let source = desk.engine.source(IncidentKey::parse(id)).await?;
    let i = &source.incident;
    let dto = afterwatch_contract::document::IncidentDto::new(i, &source.gaps);
    let document = Closing {
        coverage: source.coverage.iter().map(Into::into).collect(),
        notifications_sent: i.notifications,
        ..Closing::default()
    }
    .document(vec![dto]);
    let lines = || document.incidents.iter().map(incident_line).chain([closing(&document)]).collect();
    context.out.show(&document, lines, |page| {
        sheet::whole(page, i, &source.gaps);
        if !source.notes.text.trim().is_empty() {
            page.heading("Notes");
            page.copy(2, source.notes.text.trim_end());
        }
    })?;
    Ok(exit::DONE)
}

/// Prints the incident after something was done to it, as `incident` has it in a document; for people one line.
pub async fn told(context: &Context, desk: &Desk, incident: &Incident, words: &str) -> Outcome {
    let document = Closing { notifications_sent: incident.notifications, ..Closing::default() }
        .document(vec![desk.dto(incident).await?]);
    let lines = || document.incidents.iter().map(incident_line).collect();
    context.out.show(&document, lines, |page| page.line(words))
}

pub async fn timeline(context: &Context, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let incident = desk.incident(id).await?;
    let gaps = desk.engine.gaps(&incident).await?;
    let entries: Vec<TimelineDto> = incident.timeline.iter().map(Into::into).collect();
    let document = Part { incident: &incident, name: "timeline", items: &entries };
    context.out.show(&document, || rows("entry", &entries), |page| sheet::timeline(page, &incident, &gaps))?;
    Ok(exit::DONE)
}

pub async fn evidence(context: &Context, id: &str, item: Option<&str>) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let incident = desk.incident(id).await?;
    let Some(item) = item else {
        let items: Vec<EvidenceDto> = incident.evidence.iter().map(Into::into).collect();
        let document = Part { incident: &incident, name: "evidence", items: &items };
        context.out.show(
            &document,
            || rows("evidence", &items),
            |page| {
                if incident.evidence.is_empty() {
                    page.line(format!("{} holds no evidence yet.", incident.label()));
                } else {
                    list::evidence(page, &incident);
                }
            },
        )?;
        return Ok(exit::DONE);
    };
    let Some(one) = incident.evidence_by_id(item) else {
        let ids: Vec<String> = incident.evidence.iter().map(|e| e.id.clone()).collect();
        let have =
            if ids.is_empty() { "It holds none yet".to_owned() } else { format!("It holds {}", words::list(&ids, 12)) };
        return Err(Failure::new(format!("{} has no evidence {item}", incident.label()), have, ""));
    };
    let whole = [EvidenceDto::whole(one)];
    if context.out.format == Format::Table {
        // The excerpt itself, to read or to pipe on: unfolded.
        let mut text = inert::lines(&one.draft.excerpt).into_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        context.out.write(&text)?;
    } else {
        context.out.show(
            &Part { incident: &incident, name: "evidence", items: &whole },
            || rows("evidence", &whole),
            |_| {},
        )?;
    }
    Ok(exit::DONE)
}

pub async fn changes(context: &Context, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let incident = desk.incident(id).await?;
    let items: Vec<ChangeDto> = incident.changes.iter().map(Into::into).collect();
    context.out.show(
        &Part { incident: &incident, name: "changes", items: &items },
        || rows("change", &items),
        |page| {
            if incident.changes.is_empty() {
                page.line(format!("No change around {} was recorded.", incident.label()));
            } else {
                list::changes(page, &incident);
            }
        },
    )?;
    Ok(exit::DONE)
}

/// When the clusters of these incidents were watched, from the first start to now.
async fn coverage(desk: &Desk, incidents: &[Incident]) -> Outcome<Vec<CoverageSpan>> {
    let mut from: BTreeMap<String, Timestamp> = BTreeMap::new();
    for i in incidents {
        let start = i.started_at.unwrap_or(i.detected_at).min(i.detected_at);
        from.entry(i.cluster.clone()).and_modify(|f| *f = start.min(*f)).or_insert(start);
    }
    let mut spans = Vec::new();
    for (cluster, from) in from {
        let read = desk.stored(move |store| store.coverage(&cluster, from, Timestamp::now())).await?;
        spans.extend(read.iter().map(CoverageSpan::from));
    }
    Ok(spans)
}

/// An empty history says whether it is empty or only this question is.
fn nothing(desk: &Desk, args: &Incidents) -> String {
    match (&args.search, args.open) {
        _ if desk.store.path() == ":memory:" => {
            "Nothing was recorded yet: `kubectl afterwatch watch` or the app records into this database.".to_owned()
        }
        (Some(text), _) => format!("No incident mentions “{text}”."),
        (None, true) => "Nothing is open.".to_owned(),
        (None, false) => "No such incident is recorded.".to_owned(),
    }
}
