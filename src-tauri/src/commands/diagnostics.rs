//! About and diagnostics: `doctor` in the window.

use afterwatch_cluster::{ClusterOptions, Limits};
use afterwatch_contract::{
    diagnostics::{CheckDto, Diagnostics},
    document::word,
};
use afterwatch_core::{
    check::{Check, Level},
    port::store::IncidentQuery,
    redact, words,
};
use afterwatch_store::disk;

use super::{Answer, Held};
use crate::{notify, tray};

/// Everything Afterwatch needs, one line each. Takes as long as the slowest cluster that is watched.
#[tauri::command]
pub async fn diagnostics(shell: Held<'_>) -> Answer<Diagnostics> {
    let mut checks = Vec::new();
    match shell.open().await {
        Ok(desk) => {
            let (configs, watched) = desk.contexts.configs();
            checks.extend(configs.doctor(&watched, &ClusterOptions::default(), Limits::default()).await);
            let past = IncidentQuery { limit: Some(0), ..IncidentQuery::default() };
            let size = disk::bytes(desk.engine.size_bytes());
            let path = shell.database.display();
            checks.push(match desk.engine.past(past).await {
                Ok(past) => {
                    Check::ok("database", format!("{path}, {}, {size}", words::count(past.of as usize, "incident")))
                }
                Err(problem) => Check::new("database", Level::Fail, problem.to_string(), ""),
            });
        }
        Err(problem) => checks.push(Check::new("database", Level::Fail, problem.to_string(), "")),
    }
    if let Some(trouble) = shell.trouble() {
        checks.push(Check::new("recording", Level::Fail, trouble, ""));
    }
    checks.push(disk::check(&shell.database));
    checks.push(notify::check().await);
    checks.push(match tray::is_visible() {
        true => Check::ok("tray", "closing the window keeps watching"),
        false => Check::new(
            "tray",
            Level::Warn,
            "this desktop shows none, so closing the window asks whether to keep watching in a minimised one",
            "On GNOME an extension for app indicators shows it.",
        ),
    });
    checks.push(Check::ok("model", "none; rules and templates write the text"));
    let (version, platform) =
        (env!("CARGO_PKG_VERSION"), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    Ok(Diagnostics {
        version: version.to_owned(),
        report: report(version, &platform, &checks),
        platform,
        checks: checks.into_iter().map(dto).collect(),
    })
}

fn dto(check: Check) -> CheckDto {
    CheckDto { name: check.name, level: word(&check.level), message: check.message, hint: check.hint }
}

/// Plain text to copy into a bug report.
fn report(version: &str, platform: &str, checks: &[Check]) -> String {
    let mut out = format!("Afterwatch {version}, {platform}\n");
    for check in checks {
        out.push_str(&format!("{:<5}{}: {}\n", word(&check.level), check.name, check.message));
        if !check.hint.is_empty() {
            out.push_str(&format!("     → {}\n", check.hint));
        }
    }
    redact::text(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_every_check_and_no_secret() {
        let checks = [
            Check::ok("disk", "9 GiB free"),
            Check::new("context prod", Level::Fail, "refused: Authorization: Bearer abcdefghijklmnop1234", "Sign in."),
        ];
        let text = report("1.2.3", "linux x86_64", &checks);
        assert!(text.starts_with("Afterwatch 1.2.3, linux x86_64\nok   disk: 9 GiB free\nfail context prod: "));
        assert!(text.contains("→ Sign in.") && !text.contains("abcdefghijklmnop1234"), "{text}");
    }
}
