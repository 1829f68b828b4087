//! The recommended steps, written out.

use afterwatch_contract::{
    assistant::{AdviceDocument, WritingDto},
    document::ActionDto,
};
use afterwatch_core::{incident::Incident, port::store::IncidentKey, writing::Writing};

use super::ask;
use crate::{
    args::Advise,
    context::{Context, Database},
    failure::{Outcome, exit},
    output::{Page, incident, line, rows, writing},
};

pub async fn run(context: &Context, args: &Advise) -> Outcome<u8> {
    if !args.explain {
        let desk = context.desk(Database::Existing).await?;
        let found = desk.incident(&args.one.id).await?;
        return show(context, &found, None);
    }
    let (desk, by) = ask::desk(context, &args.writer).await?;
    let found = desk.incident(&args.one.id).await?;
    let shown = writing::Shown::new(context.progress());
    let advising = desk.engine.advise(IncidentKey::Id(found.id), by, &shown);
    let Some(advice) = ask::until_stopped(advising, &shown).await? else { return Ok(exit::INTERRUPTED) };
    ask::tell_instead(&advice);
    show(context, &found, Some(&advice))
}

fn show(context: &Context, found: &Incident, advice: Option<&Writing>) -> Outcome<u8> {
    let document = AdviceDocument {
        schema: "afterwatch.actions/v1".to_owned(),
        incident: found.id.to_string(),
        number: found.number,
        actions: found.advised().map(ActionDto::from).collect(),
        advice: advice.map(WritingDto::from),
    };
    let lines = || {
        let mut lines = rows("action", &document.actions);
        lines.extend(document.advice.as_ref().map(|advice| line(&Row { r#type: "advice", advice })));
        lines
    };
    context.out.show(&document, lines, |page| whole(page, found, advice))?;
    Ok(exit::DONE)
}

#[derive(serde::Serialize)]
struct Row<'a> {
    r#type: &'static str,
    advice: &'a WritingDto,
}

fn whole(page: &mut Page<'_>, found: &Incident, advice: Option<&Writing>) {
    page.line(format!("{}  {}", found.label(), found.title));
    if let Some(cause) = found.top_cause() {
        page.hanging(&format!("{}: ", cause.confidence.word()), &cause.statement, &cause.evidence);
    }
    page.blank();
    if found.advised().next().is_none() {
        page.line("No step is known for this.");
        found.needs.iter().for_each(|n| page.hanging("What would tell: ", n, &[]));
        return;
    }
    match advice {
        Some(advice) => writing::advice(page, found, advice),
        None => incident::steps(page, found.advised()),
    }
    page.blank();
    page.line("Nothing was sent to the cluster: these lines are for you to check and run.");
}
