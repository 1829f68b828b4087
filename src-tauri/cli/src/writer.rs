//! Who writes for a command.

use std::sync::Arc;

use afterwatch_assistant::{
    choice::{Writer, worker_program},
    chosen::{self, Chosen},
    marks::{self, Marks},
    models::Models,
    worker::WorkerOptions,
};
use afterwatch_core::{
    port::{Model, Store, StoreError},
    writing::By,
};
use afterwatch_store::SqliteStore;

use crate::{
    args,
    failure::{Failure, Outcome},
};

/// Who was wished for.
pub struct Wished {
    pub model: Arc<dyn Model>,
    pub by: By,
}

/// Rules alone: for commands that have nothing written.
pub fn rules() -> Arc<dyn Model> {
    Arc::new(Writer::default())
}

/// The model file that was named, else the model that is chosen in the app, else the rules.
pub async fn wished(store: &Arc<SqliteStore>, wish: &args::Writer) -> Outcome<Wished> {
    if wish.no_model {
        return Ok(Wished { model: rules(), by: By::Rules });
    }
    let writer = Writer::default();
    if let Some(file) = &wish.model {
        if !file.is_file() {
            let what = format!("There is no model file at {}", file.display());
            return Err(Failure::new(what, "", "Correct --model, or leave it out"));
        }
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        writer.use_file(name.into_owned(), WorkerOptions::new(worker_program(), file), None);
        return Ok(Wished { model: Arc::new(writer), by: By::Model });
    }
    let settings = store.clone();
    let read = move || Ok::<_, StoreError>((settings.setting(chosen::SETTING)?, settings.setting(marks::SETTING)?));
    let read = tokio::task::spawn_blocking(read).await;
    let (chosen, marks) = read.map_err(|e| Failure::new("The database could not be read", e.to_string(), ""))??;
    let models = Models::new(afterwatch_store::data_folder().join("models"));
    writer.choose(&Chosen::from_setting(chosen), &models, &Marks::from_setting(marks)).await;
    let by = if writer.state().name.is_some() { By::Model } else { By::Rules };
    Ok(Wished { model: Arc::new(writer), by })
}
