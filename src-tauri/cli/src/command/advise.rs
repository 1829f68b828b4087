//! The recommended steps, written out.

use afterwatch_contract::document::ActionDto;

use crate::{
    context::{Context, Database},
    failure::{Outcome, exit},
    output::{Part, incident, rows},
};

pub async fn run(context: &Context, id: &str) -> Outcome<u8> {
    let desk = context.desk(Database::Existing).await?;
    let found = desk.incident(id).await?;
    let actions: Vec<ActionDto> = found.actions.iter().map(Into::into).collect();
    context.out.show(
        &Part { incident: &found, name: "actions", items: &actions },
        || rows("action", &actions),
        |page| {
            page.line(format!("{}  {}", found.label(), found.title));
            if let Some(cause) = found.top_cause() {
                page.hanging(&format!("{}: ", cause.confidence.word()), &cause.statement, &cause.evidence);
            }
            page.blank();
            if found.actions.is_empty() {
                page.line("No step is known for this.");
                found.needs.iter().for_each(|n| page.hanging("What would tell: ", n, &[]));
                return;
            }
            incident::steps(page, &found.actions);
            page.blank();
            page.line("Nothing was sent to the cluster: these lines are for you to check and run.");
        },
    )?;
    Ok(exit::DONE)
}
