//! Writes the sample's pages into a folder, to be looked at, and prints how long each took and how large it is:
//! `cargo run --release -p afterwatch-report --example pages -- FOLDER`.

use std::{error::Error, fs, path::Path, time::Instant};

use afterwatch_core::{incident::Incident, timeline::EntryKind};
use afterwatch_report::{PageOptions, html_page, markdown, pdf, usual_font_folders};
use jiff::SignedDuration;

#[allow(dead_code, reason = "the tests need more of the sample")]
#[path = "../tests/report/sample.rs"]
mod sample;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder to write into")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    write(folder, "sample", &sample::incident())?;
    write(folder, "eight-pages", &larger(40, 11))?;
    write(folder, "500-rows", &larger(500, 4))?;
    Ok(())
}

/// The sample with so many more entries on its timeline, and so many logs of evidence.
fn larger(rows: u64, logs: usize) -> Incident {
    let mut one = sample::incident();
    let first = one.timeline[0].clone();
    for n in 0..rows {
        let mut entry = first.clone();
        entry.seq = 100 + n;
        entry.at = first.at + SignedDuration::from_secs(i64::try_from(n * 900 / rows).unwrap_or_default());
        entry.kind = EntryKind::Symptom;
        entry.label = None;
        entry.text = format!("Pod checkout-5f8b97c6d-{n:05} was killed for exceeding its 192Mi memory limit");
        one.timeline.push(entry);
    }
    for n in 0..logs {
        let lines: Vec<String> =
            (0..16).map(|l| format!("02:56:{l:02}.340 INFO POST /v1/checkout 200 in {} ms", 60 + l * n)).collect();
        one.evidence.push(sample::evidence(&format!("E{}", 10 + n), "02:56:13", &lines.join("\n")));
    }
    one
}

fn write(folder: &Path, name: &str, incident: &Incident) -> Result<(), Box<dyn Error>> {
    let (gaps, coverage) = ([sample::gap()], sample::coverage());
    let input = sample::input(incident, &gaps, &coverage);
    let text = markdown(&input);
    fs::write(folder.join(format!("{name}.md")), &text)?;
    fs::write(folder.join(format!("{name}.html")), html_page(&input, &text, &PageOptions::default()))?;
    let mut times = Vec::new();
    let mut bytes = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        bytes = pdf(&input, &text, &PageOptions::default(), &usual_font_folders(None))?;
        times.push(begun.elapsed().as_secs_f64());
    }
    fs::write(folder.join(format!("{name}.pdf")), &bytes)?;
    let best = times.iter().copied().fold(f64::MAX, f64::min);
    println!("FIGURE pdf {name} first_s={:.3} best_s={best:.3} bytes={}", times[0], bytes.len());
    Ok(())
}
