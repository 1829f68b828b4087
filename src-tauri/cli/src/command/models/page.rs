//! The models for people.

use afterwatch_assistant::{
    models::{CatalogueModel, InstalledModel, Page},
    problem::size,
};
use afterwatch_core::words;

use crate::output::page::{Cell, Page as Sheet};

pub fn show(sheet: &mut Sheet<'_>, page: &Page) {
    let m = page.machine;
    let threads = words::count(m.threads as usize, "thread");
    sheet.line(format!("{} memory, {} free, {threads} for a model", size(m.memory_bytes), size(m.free_bytes)));
    if !m.processor_fits {
        sheet.line("This processor lacks AVX2, which the model worker needs: only a server can write here.");
    }
    sheet.blank();
    let anything = page.installed.iter().any(|m| m.chosen) || page.server.as_ref().is_some_and(|s| s.chosen);
    if !anything {
        sheet.line("Rules and templates write everything.");
    }
    if page.installed.is_empty() {
        sheet.line(format!(
            "No model is here. `kubectl afterwatch models add FILE` puts one into {}.",
            page.folder.display()
        ));
    } else {
        sheet.table(&["Here", "Size", "Memory", "Licence", "What"], page.installed.iter().map(installed).collect());
    }
    if let Some(server) = &page.server {
        let writes = if server.chosen { "writes" } else { "is known" };
        let key = if server.has_key { ", with a key" } else { "" };
        sheet.line(format!("Server: {} on {} {writes}{key}. {}", server.model, server.url, server.warning));
    }
    sheet.blank();
    let offers: Vec<_> = page.catalogue.iter().filter(|c| c.installed.is_none()).map(offered).collect();
    if !offers.is_empty() {
        sheet.table(&["Can be had", "Size", "Memory", "Licence", "For whom"], offers);
        sheet.line(
            "`kubectl afterwatch models add ID` downloads one, checked against its hash. Nothing is contacted before.",
        );
    }
}

fn installed(model: &InstalledModel) -> Vec<Cell> {
    let mut words = vec![model.name.clone()];
    match &model.file.facts {
        Err(why) => words.push(format!("cannot be used: {why}")),
        Ok(facts) => {
            words.push(facts.weights.clone());
            words.push(if model.verified { "verified" } else { "not in the catalogue" }.to_owned());
            words.extend(model.fit.sentence().map(str::to_owned));
        }
    }
    if model.chosen {
        words.insert(1, "writes".to_owned());
    }
    vec![
        Cell::new(&model.file.id),
        Cell::new(size(model.file.size_bytes)),
        Cell::new(size(model.memory_bytes)),
        Cell::new(model.licence.as_deref().unwrap_or("not said")),
        Cell::new(words.join(", ")),
    ]
}

fn offered(model: &CatalogueModel) -> Vec<Cell> {
    let e = &model.entry;
    let mut words = e.about.clone();
    if let Some(why) = model.fit.sentence() {
        words.push_str(&format!(" {why}"));
    }
    if !e.downloadable() {
        words.push_str(&format!(" Its hash is not known: get it from {} and import it.", e.page));
    }
    vec![
        Cell::new(&e.id),
        Cell::new(size(e.size_bytes)),
        Cell::new(size(model.memory_bytes)),
        Cell::new(&e.licence),
        Cell::new(words),
    ]
}
