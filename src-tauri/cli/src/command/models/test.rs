//! What a model is good for, found out on the recorded incidents that come with the program.

use afterwatch_assistant::{
    chosen::ModelChoice,
    marks::{self, Mark, Marks},
    models::Models,
};
use afterwatch_contract::assistant::ExamDto;
use jiff::Timestamp;

use super::{chosen, follow};
use crate::{
    context::{Context, Database, Desk},
    failure::{Failure, Outcome, exit},
    output::rows,
};

pub async fn run(context: &Context, models: &Models, id: Option<&str>) -> Outcome<u8> {
    let desk = context.desk(Database::Made).await?;
    let chosen = chosen(&desk).await?;
    let id = match (id, &chosen.choice) {
        (Some(id), _) => id,
        (None, ModelChoice::File { id }) => id.as_str(),
        (None, _) => {
            let next = "Name one of those that `kubectl afterwatch models list` shows";
            return Err(Failure::new("No model on this computer is chosen", "", next));
        }
    };
    let mut progress = context.progress();
    let mut file = models.installed_of(id).await?;
    if file.sha256.is_none() {
        // A mark belongs to a file's very bytes.
        let Some(read) = follow(models, models.hash(&file.id)?, &mut progress).await? else {
            return Ok(exit::INTERRUPTED);
        };
        file = read;
    }
    let running = marks::test(models, models.name_of(&file), &file)?;
    let Some(outcome) = follow(models, running, &mut progress).await? else { return Ok(exit::INTERRUPTED) };
    progress.clear();
    let mark = Mark { at: Timestamp::now(), outcome };
    let mut all = read(&desk).await?;
    all.add(file.sha256.clone().unwrap_or_default(), mark.clone());
    desk.engine.set_setting(marks::SETTING, all.to_setting()).await?;
    let page = models.look(&chosen).await?;
    let mut document = super::document::installed(page.installed.iter().find(|m| m.file.id == file.id));
    document.model.exam = Some(exam(&mark));
    context.out.show(
        &document,
        || rows("model", std::slice::from_ref(&document)),
        |sheet| {
            let o = &mark.outcome;
            sheet.line(format!("{}: {}. {}", document.model.name, o.verdict().word(), o.sentence()));
            sheet.line(format!(
                "{} incidents in {:.0} s, {:.1} tokens per second, the first word after {:.1} s. {} wrong sentences were caught.",
                o.incidents,
                o.seconds,
                o.tokens_per_second,
                o.first_token_ms as f32 / 1000.0,
                o.caught
            ));
        },
    )?;
    Ok(exit::DONE)
}

/// What models were found to be.
pub async fn read(desk: &Desk) -> Outcome<Marks> {
    Ok(Marks::from_setting(desk.engine.setting(marks::SETTING).await?))
}

/// A mark as JSON.
pub fn exam(mark: &Mark) -> ExamDto {
    let o = &mark.outcome;
    ExamDto {
        at: mark.at.to_string(),
        incidents: o.incidents,
        outputs: o.outputs,
        valid: o.valid,
        statements: o.statements,
        tied: o.tied,
        caught: o.caught,
        advised: o.advised,
        right_first: o.right_first,
        seconds: o.seconds,
        tokens_per_second: o.tokens_per_second,
        first_token_ms: o.first_token_ms,
        verdict: o.verdict().word().to_owned(),
        sentence: o.sentence(),
    }
}
