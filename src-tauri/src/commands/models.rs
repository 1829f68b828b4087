//! The models: what is here, what can be had, what is chosen, and a server of the user's.

use std::path::PathBuf;

use afterwatch_assistant::{
    chosen::{ModelChoice, ServerPlace},
    marks::{Mark, Marks},
    models::{CatalogueModel, InstalledModel, Page, ServerPage},
    problem::Problem,
    server::{self, Patience, Server},
};
use afterwatch_contract::assistant::{CatalogueModelDto, ExamDto, InstalledModelDto, ModelServerDto, ModelsPage};
use afterwatch_core::port::Model;
use tauri_plugin_dialog::DialogExt;

use super::{Answer, Failure, Held, error};
use crate::{models::job_dto, window};

/// What "Import…" opens without asking, for automation: a dialog of the system cannot be driven from outside.
const WITHOUT_ASKING: &str = "AFTERWATCH_OPEN_FILE";

/// Everything that Settings, Models shows.
#[tauri::command]
pub async fn models(shell: Held<'_>) -> Answer<ModelsPage> {
    let chosen = shell.chosen_model().await?;
    let page = shell.models.page(&chosen).await.map_err(error)?;
    let marks = shell.model_marks().await?;
    Ok(dto(&shell, page, &marks))
}

/// Takes a model file in: this one, or one that is asked for. False when the person changed their mind. How it goes on
/// is told by events.
#[tauri::command]
pub async fn import_model(shell: Held<'_>, path: Option<String>) -> Answer<bool> {
    let file = match (path, std::env::var_os(WITHOUT_ASKING)) {
        (Some(path), _) => Some(PathBuf::from(path)),
        (None, Some(file)) => Some(PathBuf::from(file)),
        (None, None) => ask(&shell).await?,
    };
    let Some(file) = file else { return Ok(false) };
    // Nobody waits here: the job tells how far it is and how it ended.
    drop(shell.models.import(file).map_err(error)?);
    Ok(true)
}

/// Begins to download a model of the catalogue.
#[tauri::command]
pub async fn download_model(shell: Held<'_>, id: String) -> Answer<()> {
    drop(shell.models.download(&id).map_err(error)?);
    Ok(())
}

/// Ends the import, the download or the exam that is under way.
#[tauri::command]
pub fn cancel_model_job(shell: Held<'_>) {
    shell.models.cancel();
}

/// Begins to put the bundled incidents to a model; the page shows what came of it.
#[tauri::command]
pub async fn test_model(shell: Held<'_>, id: String) -> Answer<()> {
    let file = shell.models.installed_of(&id).await.map_err(error)?;
    shell.test_model(file).await
}

/// Takes a model out of the folder. Where it was chosen the rules write again.
#[tauri::command]
pub async fn remove_model(shell: Held<'_>, id: String) -> Answer<()> {
    // First, so that no worker holds the file.
    shell.choose_model(|chosen| chosen.forget_file(&id)).await?;
    shell.models.remove(&id).await.map(drop).map_err(error)
}

/// Chooses what writes: a model that is here, or the rules.
#[tauri::command]
pub async fn choose_model(shell: Held<'_>, id: Option<String>) -> Answer<()> {
    let choice = match id {
        Some(id) => ModelChoice::File { id: shell.models.installed_of(&id).await.map_err(error)?.id },
        None => ModelChoice::None,
    };
    shell.choose_model(|chosen| chosen.choice = choice).await
}

/// Keeps the address of a server and chooses it. A `key` of `None` leaves the kept one; it lies in the system's
/// keychain and nowhere else.
#[tauri::command]
pub async fn set_model_server(shell: Held<'_>, url: String, model: String, key: Option<String>) -> Answer<()> {
    let model = named(&model)?;
    let mut chosen = shell.chosen_model().await?;
    let told = shell.models.name_server(&mut chosen, &url, model, None, key).await.map_err(error)?;
    shell.choose_model(|now| *now = chosen).await?;
    if let Some(why) = told {
        shell.say(why);
    }
    Ok(())
}

/// Forgets the server and its key.
#[tauri::command]
pub async fn forget_model_server(shell: Held<'_>) -> Answer<()> {
    let mut chosen = shell.chosen_model().await?;
    shell.models.forget_server(&mut chosen).await.map_err(error)?;
    shell.choose_model(|now| *now = chosen).await
}

/// Chooses the server that is known.
#[tauri::command]
pub async fn choose_model_server(shell: Held<'_>) -> Answer<()> {
    let place = shell.chosen_model().await?.server;
    let place = place.ok_or_else(|| error("No server is known. Name one first."))?;
    shell.choose_model(|chosen| chosen.use_server(place)).await
}

/// Asks a server whether it answers and has the model; the answer is a sentence.
#[tauri::command]
pub async fn try_model_server(shell: Held<'_>, url: String, model: String, key: Option<String>) -> Answer<String> {
    let url = server::address(&url).map_err(error)?;
    let known = shell.chosen_model().await?.server.filter(|place| place.url == url);
    let kept = known.is_some_and(|place| place.has_key) || shell.models.keys().remembers(&url);
    let key = match key {
        None if kept => shell.models.keys().get(&url).await,
        key => key,
    };
    let place = ServerPlace { url, model: named(&model)?, context: None, has_key: false };
    let server = Server::new(&place, key, Patience::default()).map_err(error)?;
    server.check().await.map_err(error)
}

fn named(model: &str) -> Answer<String> {
    match model.trim() {
        "" => Err(error("Name the model on that server, as the server calls it.")),
        model => Ok(model.to_owned()),
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        problem.message.into()
    }
}

async fn ask(shell: &Held<'_>) -> Answer<Option<PathBuf>> {
    use tauri::Manager;
    let (told, answer) = tokio::sync::oneshot::channel();
    let mut dialog = shell
        .app
        .dialog()
        .file()
        .set_title("Import a model")
        .add_filter("Models (GGUF)", &["gguf"])
        .add_filter("All files", &["*"]);
    if let Some(window) = shell.app.get_webview_window(window::LABEL) {
        dialog = dialog.set_parent(&window);
    }
    dialog.pick_file(move |path| {
        // Nobody waits any more when the page was closed under the dialog.
        let _ = told.send(path);
    });
    match answer.await {
        Ok(Some(path)) => path.into_path().map(Some).map_err(|problem| error(problem.to_string())),
        Ok(None) | Err(_) => Ok(None),
    }
}

fn dto(shell: &Held<'_>, page: Page, marks: &Marks) -> ModelsPage {
    ModelsPage {
        state: (&shell.writer.state()).into(),
        memory_bytes: page.machine.memory_bytes,
        memory_free_bytes: page.machine.free_bytes,
        threads: page.machine.threads,
        processor_fits: page.machine.processor_fits,
        folder: page.folder.display().to_string(),
        installed: page.installed.into_iter().map(|model| installed_dto(model, marks)).collect(),
        catalogue: page.catalogue.into_iter().map(catalogue_dto).collect(),
        server: page.server.map(server_dto),
        job: page.job.as_ref().map(job_dto),
    }
}

fn installed_dto(model: InstalledModel, marks: &Marks) -> InstalledModelDto {
    let facts = model.file.facts.as_ref().ok();
    InstalledModelDto {
        name: model.name,
        architecture: facts.map(|f| f.architecture.clone()).unwrap_or_default(),
        licence: model.licence,
        size_bytes: model.file.size_bytes,
        parameters: facts.map_or(0, |f| f.parameters),
        context: facts.map_or(0, |f| f.context),
        memory_bytes: model.memory_bytes,
        sha256: model.file.sha256.clone().unwrap_or_default(),
        verified: model.verified,
        chosen: model.chosen,
        exam: marks.of(model.file.sha256.as_deref()).map(exam_dto),
        id: model.file.id,
    }
}

fn exam_dto(mark: &Mark) -> ExamDto {
    let outcome = &mark.outcome;
    ExamDto {
        at: mark.at.to_string(),
        incidents: outcome.incidents,
        outputs: outcome.outputs,
        valid: outcome.valid,
        statements: outcome.statements,
        tied: outcome.tied,
        caught: outcome.caught,
        advised: outcome.advised,
        right_first: outcome.right_first,
        seconds: outcome.seconds,
        tokens_per_second: outcome.tokens_per_second,
        first_token_ms: outcome.first_token_ms,
        verdict: outcome.verdict().word().to_owned(),
        sentence: outcome.sentence(),
    }
}

fn catalogue_dto(model: CatalogueModel) -> CatalogueModelDto {
    let (fits, downloadable) = (model.fit.fits(), model.entry.downloadable());
    let entry = model.entry;
    CatalogueModelDto {
        id: entry.id,
        name: entry.name,
        maker: entry.maker,
        licence: entry.licence,
        licence_url: Some(entry.licence_url),
        file: entry.file,
        size_bytes: entry.size_bytes,
        parameters: entry.parameters,
        context: entry.context,
        memory_bytes: model.memory_bytes,
        fits,
        about: entry.about,
        page: entry.page,
        downloadable,
        installed: model.installed,
    }
}

fn server_dto(server: ServerPage) -> ModelServerDto {
    ModelServerDto {
        url: server.url,
        model: server.model,
        has_key: server.has_key,
        chosen: server.chosen,
        local: server.local,
    }
}
