//! Afterwatch as a person at a terminal sees it: the built `kubectl-afterwatch`, its exit codes and its JSON.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::grade::{list, text};

#[derive(Clone)]
pub struct Product {
    pub program: String,
    pub kubeconfig: String,
    pub database: PathBuf,
    pub out: PathBuf,
}

impl Product {
    /// One recorder for the whole run; every line it prints is kept in `watch.jsonl`.
    pub fn watch(&self) -> Result<Watch> {
        let lines = self.out.join("watch.jsonl");
        let child = Command::new(&self.program)
            .args(["watch", "-o", "jsonl", "--metrics", "--for", "3h", "--kubeconfig", &self.kubeconfig, "--db"])
            .arg(&self.database)
            .stdin(Stdio::null())
            .stdout(File::create(&lines)?)
            .stderr(File::create(self.out.join("watch.log"))?)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program))?;
        Ok(Watch { child, lines })
    }

    fn run(&self, words: &[&str], with_database: bool) -> Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(words).args(["--kubeconfig", &self.kubeconfig]).stdin(Stdio::null());
        if with_database {
            command.arg("--db").arg(&self.database);
        }
        Ok(command.output()?)
    }

    /// The incidents that touch a namespace, or all of them, as the record has them now.
    pub fn incidents(&self, namespace: Option<&str>) -> Result<Vec<Value>> {
        let mut words = vec!["incidents", "-o", "json"];
        words.extend(namespace.into_iter().flat_map(|namespace| ["-n", namespace]));
        let output = self.run(&words, true)?;
        let document = document(&output)?;
        ensure!(output.status.code() == Some(0), "`incidents` ended with {}", output.status);
        Ok(list(&document, "incidents").to_vec())
    }

    /// The text of one piece of evidence.
    pub fn excerpt(&self, incident: &str, evidence: &str) -> Result<String> {
        let output = self.run(&["evidence", incident, evidence], true)?;
        ensure!(output.status.success(), "`evidence {incident} {evidence}` ended with {}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// One look, nothing kept.
    pub fn scan(&self, namespace: &str) -> Result<(Option<i32>, Vec<Value>)> {
        let output = self.run(&["scan", "-n", namespace, "-o", "json"], false)?;
        let document = document(&output)?;
        Ok((output.status.code(), list(&document, "incidents").to_vec()))
    }
}

fn document(output: &Output) -> Result<Value> {
    let document: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!("not one JSON document ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
    })?;
    ensure!(text(&document, "schema") == "afterwatch.incident/v1", "the schema is {}", document["schema"]);
    Ok(document)
}

pub struct Watch {
    child: Child,
    lines: PathBuf,
}

impl Watch {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ctrl-C, as the specification has it: it ends within 2 s with 130, and its last line is the result.
    pub fn interrupt(mut self) -> Result<Value> {
        if let Some(status) = self.ended()? {
            bail!("`watch` had ended by itself before, with {status}");
        }
        let asked = Instant::now();
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        let status = loop {
            if let Some(status) = self.ended()? {
                break status;
            }
            if asked.elapsed() > Duration::from_secs(20) {
                bail!("`watch` did not end within 20 s after SIGINT");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let took = asked.elapsed();
        ensure!(status.code() == Some(130), "after SIGINT `watch` ended with {status}, not 130");
        // The promise is 2 s; a busy machine is given one more.
        ensure!(took < Duration::from_secs(3), "`watch` took {:.1} s to end after SIGINT", took.as_secs_f32());
        last_result(&self.lines)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_result(lines: &Path) -> Result<Value> {
    let text_of_all = std::fs::read_to_string(lines)?;
    let mut last = Value::Null;
    for (number, line) in text_of_all.lines().enumerate() {
        last = serde_json::from_str(line)
            .with_context(|| format!("line {} of `watch -o jsonl` is not JSON: {line}", number + 1))?;
    }
    ensure!(text(&last, "type") == "result", "the last line of `watch` is not the result: {}", last["type"]);
    Ok(last)
}
