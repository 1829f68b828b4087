//! Mutes. They hold back notifications and nothing else.

use afterwatch_core::silence::{Silence, SilenceMatcher};
use serde::Serialize;

use crate::{
    args,
    context::{Context, Database},
    failure::{Failure, Outcome, exit},
    output::{list, rows},
};

/// Mutes an incident's object, a namespace, a cluster, a rule, or what fits all that was named.
pub async fn add(context: &Context, args: args::Silence) -> Outcome<u8> {
    let common = &context.common;
    if args.id.is_none() && common.namespace.is_empty() && common.context.is_empty() && args.rule.is_none() {
        return Err(Failure::Told {
            message:
                "Nothing is named to mute. Write an incident's id, or -n NAMESPACE, --context NAME or --rule RULE."
                    .to_owned(),
            code: 2,
        });
    }
    if args.id.is_some() && !common.namespace.is_empty() {
        return Err(Failure::Told {
            message:
                "An incident's id names its namespace already. Leave -n out, or leave the id out to mute the namespace."
                    .to_owned(),
            code: 2,
        });
    }
    let desk = context.desk(if args.id.is_some() { Database::Existing } else { Database::Made }).await?;
    let mut matchers = Vec::new();
    if let Some(id) = &args.id {
        let incident = desk.incident(id).await?;
        matchers.push(SilenceMatcher {
            cluster: Some(incident.cluster.clone()),
            namespace: None,
            subject: Some(incident.subject.key()),
            rule_id: args.rule.clone(),
        });
    } else {
        // One mute matches one value of each field: several names become several mutes.
        let each =
            |names: &[String]| if names.is_empty() { vec![None] } else { names.iter().cloned().map(Some).collect() };
        for cluster in each(&common.context) {
            for namespace in each(&common.namespace) {
                matchers.push(SilenceMatcher {
                    cluster: cluster.clone(),
                    namespace,
                    subject: None,
                    rule_id: args.rule.clone(),
                });
            }
        }
    }
    let mut made = Vec::new();
    for matcher in matchers {
        made.push(desk.engine.silence(matcher, args.time, &args.reason).await?);
    }
    let document = document(&made);
    context.out.show(
        &document,
        || silence_rows(&made),
        |page| {
            for silence in &made {
                let until = page.look.moment(silence.until);
                page.line(format!("Notifications about {} are muted until {until}.", list::matcher(silence)));
            }
            page.line("Incidents still open and count. `kubectl afterwatch silences --end ID` ends a mute.");
        },
    )?;
    Ok(exit::DONE)
}

/// Lists the mutes that hold, or ends one.
pub async fn list(context: &Context, end: Option<&str>) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let mut silences = desk.engine.silences().await?;
    if let Some(id) = end {
        let wanted = id.to_lowercase();
        let hits: Vec<&Silence> =
            silences.iter().filter(|s| !wanted.is_empty() && s.id.to_string().starts_with(&wanted)).collect();
        let ended = match hits.as_slice() {
            [one] => one.id,
            [] => {
                return Err(Failure::new(
                    format!("No mute begins with {id}"),
                    "",
                    "`kubectl afterwatch silences` lists them",
                ));
            }
            _ => return Err(Failure::new(format!("{id} fits several mutes"), "", "Write more of the id")),
        };
        desk.engine.unsilence(ended).await?;
        silences.retain(|s| s.id != ended);
    }
    context.out.show(
        &document(&silences),
        || silence_rows(&silences),
        |page| {
            if end.is_some() {
                page.line("Ended.");
            }
            if silences.is_empty() {
                page.line("Nothing is muted.");
            } else {
                list::silences(page, &silences);
            }
        },
    )?;
    Ok(exit::DONE)
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    silences: Vec<SilenceDto>,
}

#[derive(Serialize)]
struct SilenceDto {
    id: String,
    cluster: Option<String>,
    namespace: Option<String>,
    subject: Option<String>,
    rule_id: Option<String>,
    until: String,
    reason: String,
    created_at: String,
}

fn document(silences: &[Silence]) -> Document {
    Document { schema: "afterwatch.silences/v1", silences: silences.iter().map(dto).collect() }
}

fn silence_rows(silences: &[Silence]) -> Vec<String> {
    rows("silence", &silences.iter().map(dto).collect::<Vec<_>>())
}

fn dto(silence: &Silence) -> SilenceDto {
    let m = silence.matcher.clone();
    SilenceDto {
        id: silence.id.to_string(),
        cluster: m.cluster,
        namespace: m.namespace,
        subject: m.subject,
        rule_id: m.rule_id,
        until: silence.until.to_string(),
        reason: silence.reason.clone(),
        created_at: silence.created_at.to_string(),
    }
}
