//! The models as JSON.

use afterwatch_assistant::{
    chosen::{Chosen, ModelChoice},
    marks::Marks,
    models::{CatalogueModel, InstalledModel, Page},
};
use afterwatch_contract::assistant::{CatalogueModelDto, InstalledModelDto, ModelServerDto};
use serde::Serialize;

use crate::output::rows;

#[derive(Serialize)]
pub struct Document {
    schema: &'static str,
    /// `none`, `file` or `server`.
    chosen: &'static str,
    memory_bytes: u64,
    memory_free_bytes: u64,
    threads: u32,
    processor_fits: bool,
    folder: String,
    installed: Vec<InstalledDto>,
    server: Option<ModelServerDto>,
    catalogue: Vec<CatalogueModelDto>,
}

impl Document {
    pub fn of(page: &Page, chosen: &Chosen) -> Document {
        Document {
            schema: "afterwatch.models/v1",
            chosen: match chosen.choice {
                ModelChoice::None => "none",
                ModelChoice::File { .. } => "file",
                ModelChoice::Server { .. } => "server",
            },
            memory_bytes: page.machine.memory_bytes,
            memory_free_bytes: page.machine.free_bytes,
            threads: page.machine.threads,
            processor_fits: page.machine.processor_fits,
            folder: page.folder.display().to_string(),
            installed: page.installed.iter().map(|m| installed(Some(m))).collect(),
            server: page.server.as_ref().map(|s| ModelServerDto {
                url: s.url.clone(),
                model: s.model.clone(),
                has_key: s.has_key,
                chosen: s.chosen,
                local: s.local,
            }),
            catalogue: page.catalogue.iter().map(offered).collect(),
        }
    }

    /// The same with what models were found to be.
    pub fn marked(mut self, marks: &Marks) -> Document {
        for InstalledDto { model, .. } in &mut self.installed {
            model.exam = marks.of(Some(model.sha256.as_str())).map(super::test::exam);
        }
        self
    }

    /// A line each, for `-o jsonl`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = rows("installed", &self.installed);
        lines.extend(rows("server", self.server.as_slice()));
        lines.extend(rows("catalogue", &self.catalogue));
        lines
    }
}

/// A model that is here, and why it cannot be used.
#[derive(Serialize)]
pub struct InstalledDto {
    #[serde(flatten)]
    pub model: InstalledModelDto,
    /// What is wrong with the file.
    problem: Option<String>,
    /// Its memory is free now.
    fits: bool,
}

/// A model that is here. One that vanished a moment ago has no name.
pub fn installed(model: Option<&InstalledModel>) -> InstalledDto {
    let facts = model.and_then(|m| m.file.facts.as_ref().ok());
    let problem = model.and_then(|m| m.file.facts.as_ref().err().cloned());
    let fits = facts.is_some() && model.is_some_and(|m| m.fit.fits());
    let model = InstalledModelDto {
        id: model.map(|m| m.file.id.clone()).unwrap_or_default(),
        name: model.map(|m| m.name.clone()).unwrap_or_default(),
        architecture: facts.map(|f| f.architecture.clone()).unwrap_or_default(),
        licence: model.and_then(|m| m.licence.clone()),
        size_bytes: model.map_or(0, |m| m.file.size_bytes),
        parameters: facts.map_or(0, |f| f.parameters),
        context: facts.map_or(0, |f| f.context),
        memory_bytes: model.map_or(0, |m| m.memory_bytes),
        sha256: model.and_then(|m| m.file.sha256.clone()).unwrap_or_default(),
        verified: model.is_some_and(|m| m.verified),
        chosen: model.is_some_and(|m| m.chosen),
        exam: None,
    };
    InstalledDto { model, problem, fits }
}

fn offered(model: &CatalogueModel) -> CatalogueModelDto {
    let e = model.entry.clone();
    CatalogueModelDto {
        downloadable: e.downloadable(),
        id: e.id,
        name: e.name,
        maker: e.maker,
        licence: e.licence,
        licence_url: Some(e.licence_url),
        file: e.file,
        size_bytes: e.size_bytes,
        parameters: e.parameters,
        context: e.context,
        memory_bytes: model.memory_bytes,
        fits: model.fit.fits(),
        about: e.about,
        page: e.page,
        installed: model.installed.clone(),
    }
}
