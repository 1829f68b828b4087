//! Looking into a workload that a person asks about.

use afterwatch_contract::inspect::{ChoiceDto, ChoicesDto, InspectionDto};
use afterwatch_core::inspect::Target;
use afterwatch_engine::InspectError;

use super::{Answer, Failure, Held, assistant::Cancelled, error};

/// So many are offered at once; more is found by typing.
const OFFERED: usize = 60;

/// What can be asked about whose kind, namespace and name hold what was typed, in the clusters that are watched.
#[tauri::command]
pub async fn workload_choices(shell: Held<'_>, text: String) -> Answer<ChoicesDto> {
    let found = shell.desk().await?.engine.choices(&text, OFFERED).await;
    let mut choices: Vec<ChoiceDto> =
        found.iter().flat_map(|one| one.choices.iter().map(move |c| (one.cluster.as_str(), c).into())).collect();
    let more = choices.len() > OFFERED || found.iter().any(|one| one.more);
    choices.truncate(OFFERED);
    Ok(ChoicesDto { choices, more })
}

/// Reads what there is of a workload, its neighbours and the newest lines of a few logs, and says what was found. It
/// is cancelled by its name like what is written.
#[tauri::command]
pub async fn inspect_workload(
    shell: Held<'_>,
    cluster: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    writing_id: String,
) -> Answer<InspectionDto> {
    let target = Target::parse(&[kind, name]).map_err(|why| error(format!("{why}.")))?;
    let engine = shell.desk().await?.engine.clone();
    let asking = engine.inspect(&cluster, target, namespace.into_iter().collect());
    let found = match shell.writings.run(&writing_id, asking).await {
        Some(done) => done.map_err(error)?,
        None => return Err(error(Cancelled)),
    };
    let unread = found.unread.iter().map(|log| format!("{} of {}: {}", log.container, log.pod.name, log.why)).collect();
    Ok(InspectionDto::new(&found.subject, &found.incidents, found.nothing.as_deref(), unread))
}

impl From<InspectError> for Failure {
    fn from(problem: InspectError) -> Failure {
        match problem {
            InspectError::Store(problem) => problem.into(),
            other => other.to_string().into(),
        }
    }
}
