//! The models behind the window: which one is chosen, what writes because of it, and what takes a while. The choice is
//! a setting of the record; a drill writes with the same model.

use std::{sync::Arc, time::Duration};

use afterwatch_assistant::{
    chosen::{self, Chosen},
    library::Installed,
    marks::{self, Mark, Marks},
    models::Job,
};
use afterwatch_contract::{
    assistant::ModelJobDto,
    window::{AppEvent, WindowError},
};
use afterwatch_core::{Timestamp, port::Model};

use crate::{commands::error, desk::Desk, shell::Shell};

/// A number that changes faster cannot be read.
const PACE: Duration = Duration::from_millis(200);

impl Shell {
    /// What the user chose to write with.
    ///
    /// # Errors
    /// When the history cannot be opened or read.
    pub async fn chosen_model(self: &Arc<Shell>) -> Result<Chosen, WindowError> {
        let record = self.open().await.map_err(error)?;
        chosen(&record).await
    }

    /// What models were found to be.
    ///
    /// # Errors
    /// When the history cannot be opened or read.
    pub async fn model_marks(self: &Arc<Shell>) -> Result<Marks, WindowError> {
        let record = self.open().await.map_err(error)?;
        marks(&record).await
    }

    /// Begins to test a model; what comes of it is kept, and holds from then on.
    ///
    /// # Errors
    /// When something else is under way.
    pub async fn test_model(self: &Arc<Shell>, file: Installed) -> Result<(), WindowError> {
        let record = self.open().await.map_err(error)?;
        let sha256 = file.sha256.clone();
        let sha256 = sha256.ok_or_else(|| error("The file is still being read. Test it when that is done."))?;
        // Two models at once would need the memory of both: the test would be refused for what the other still holds.
        self.writer.unload().await;
        let running = marks::test(&self.models, self.models.name_of(&file), &file).map_err(error)?;
        let shell = Arc::clone(self);
        tokio::spawn(async move {
            // A failure is told by the job.
            let Ok(outcome) = running.end().await else { return };
            let kept = async {
                let mut all = marks(&record).await?;
                all.add(sha256, Mark { at: Timestamp::now(), outcome });
                record.engine.set_setting(marks::SETTING, all.to_setting()).await.map_err(error)?;
                shell.use_model(chosen(&record).await?, &all).await;
                shell.tell(AppEvent::Models { job: None });
                Ok::<_, WindowError>(())
            };
            if let Err(problem) = kept.await {
                shell.say(format!("What came of the test was not kept: {}", problem.message));
            }
        });
        Ok(())
    }

    /// Changes what the user chose, and writes with it from now on.
    ///
    /// # Errors
    /// When the history cannot be opened, read or written.
    pub async fn choose_model(self: &Arc<Shell>, change: impl FnOnce(&mut Chosen)) -> Result<(), WindowError> {
        let record = self.open().await.map_err(error)?;
        let mut chosen = chosen(&record).await?;
        change(&mut chosen);
        record.engine.set_setting(chosen::SETTING, chosen.to_setting()).await.map_err(error)?;
        self.use_model(chosen, &marks(&record).await?).await;
        Ok(())
    }

    /// From now on this writes.
    async fn use_model(&self, chosen: Chosen, marks: &Marks) {
        let mut in_use = self.in_use.lock().await;
        self.writer.choose(&chosen, &self.models, marks).await;
        *in_use = Some(chosen);
    }

    /// Tells the window how the model stands and how far a job is, to the end of the app.
    pub fn follow_models(self: &Arc<Shell>) {
        let (shell, mut state) = (Arc::clone(self), self.writer.watch());
        tokio::spawn(async move {
            while state.changed().await.is_ok() {
                let now = state.borrow_and_update().clone();
                shell.tell(AppEvent::Model { state: (&now).into() });
                tokio::time::sleep(PACE).await;
            }
        });
        let (shell, mut jobs) = (Arc::clone(self), self.models.watch());
        tokio::spawn(async move {
            while jobs.changed().await.is_ok() {
                let job = jobs.borrow_and_update().clone();
                shell.tell(AppEvent::Models { job: job.as_ref().map(job_dto) });
                tokio::time::sleep(PACE).await;
            }
        });
    }
}

/// Begins to write with what is chosen: the history was just opened.
pub async fn start(shell: Arc<Shell>, record: Arc<Desk>) {
    let settings = async { Ok::<_, WindowError>((chosen(&record).await?, marks(&record).await?)) };
    match settings.await {
        Ok((chosen, marks)) => shell.use_model(chosen, &marks).await,
        Err(problem) => tracing::warn!(problem = problem.message, "rules write: the chosen model is not known"),
    }
    tracing::info!(model = ?shell.writer.state().name, "what writes is chosen");
}

/// Another process wrote the history: writes with what it chose, where that is something else.
pub async fn notice(shell: &Arc<Shell>, record: &Desk) {
    // What cannot be read now is read again with the next change; what writes goes on writing.
    let Ok(chosen) = chosen(record).await else { return };
    if shell.in_use.lock().await.as_ref() == Some(&chosen) {
        return;
    }
    let Ok(marks) = marks(record).await else { return };
    shell.use_model(chosen, &marks).await;
    let job = shell.models.watch().borrow().as_ref().map(job_dto);
    shell.tell(AppEvent::Models { job });
}

async fn chosen(record: &Desk) -> Result<Chosen, WindowError> {
    Ok(Chosen::from_setting(record.engine.setting(chosen::SETTING).await.map_err(error)?))
}

async fn marks(record: &Desk) -> Result<Marks, WindowError> {
    Ok(Marks::from_setting(record.engine.setting(marks::SETTING).await.map_err(error)?))
}

/// A job as the window reads it.
pub fn job_dto(job: &Job) -> ModelJobDto {
    ModelJobDto {
        kind: job.kind.word().to_owned(),
        model: job.model.clone(),
        done: job.done,
        all: job.all,
        unit: job.kind.unit().to_owned(),
        left_s: job.left_s,
        failed: job.failed.clone(),
    }
}
