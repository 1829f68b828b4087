//! The hands of the person who breaks and mends things.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use regex::Regex;

use crate::case::{Sign, Signs, Step};

#[derive(Clone)]
pub struct Kubectl {
    pub program: String,
    pub kubeconfig: String,
}

impl Kubectl {
    pub fn run(&self, namespace: &str, words: &[&str], stdin: Option<&str>) -> Result<String> {
        let now = jiff::Timestamp::now().to_string();
        let mut child = Command::new(&self.program)
            .args(["--kubeconfig", &self.kubeconfig, "--namespace", namespace])
            // Who writes a status by hand has to say since when.
            .args(words.iter().map(|word| word.replace("@now", &now)))
            .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.program))?;
        if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
            pipe.write_all(text.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("kubectl {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn play(&self, namespace: &str, steps: &[Step]) -> Result<()> {
        for step in steps {
            let done = match (&step.apply, &step.kubectl) {
                (Some(manifest), _) => self.apply(namespace, manifest),
                (_, Some(words)) => self.run(namespace, &words.iter().map(String::as_str).collect::<Vec<_>>(), None),
                (None, None) => Ok(String::new()),
            };
            match done {
                Ok(said) if step.fails => bail!("this should have been refused: {step:?}: {}", said.trim()),
                Err(why) if !step.fails => return Err(why),
                _ => {}
            }
            std::thread::sleep(Duration::from_secs(step.sleep.unwrap_or(0)));
        }
        Ok(())
    }

    /// Two cases may make the same extension at one time: the second finds it there and is told so.
    fn apply(&self, namespace: &str, manifest: &str) -> Result<String> {
        let apply = || self.run(namespace, &["apply", "-f", "-"], Some(manifest));
        apply().or_else(|why| if format!("{why:#}").contains("AlreadyExists") { apply() } else { Err(why) })
    }

    /// Makes the namespace anew and waits until pods may be created in it.
    pub fn fresh_namespace(&self, namespace: &str) -> Result<()> {
        self.run(namespace, &["delete", "namespace", namespace, "--ignore-not-found", "--timeout=90s"], None)?;
        self.run(namespace, &["create", "namespace", namespace], None)?;
        let end = Instant::now() + Duration::from_secs(30);
        while let Err(why) = self.run(namespace, &["get", "serviceaccount", "default"], None) {
            if Instant::now() > end {
                return Err(why);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Waits until every sign has shown. A sign that flickers (a container that is restarted) counts once
    /// seen, unless `at_once`.
    pub fn wait_for(&self, namespace: &str, signs: &Signs, at_once: bool) -> Result<Duration> {
        let started = Instant::now();
        let mut seen = vec![false; signs.all.len()];
        loop {
            let mut missing = None;
            for (seen, sign) in seen.iter_mut().zip(&signs.all) {
                if at_once || !*seen {
                    let (shows, text) = self.shows(namespace, sign)?;
                    *seen = shows;
                    if !shows {
                        missing = Some((sign, text));
                    }
                }
            }
            let Some((sign, text)) = missing else { return Ok(started.elapsed()) };
            if started.elapsed() > Duration::from_secs(signs.within) {
                let end: String = text.chars().rev().take(1500).collect::<Vec<_>>().into_iter().rev().collect();
                bail!("within {} s this did not show: {sign:?}; last seen: {end}", signs.within);
            }
            std::thread::sleep(Duration::from_millis(700));
        }
    }

    fn shows(&self, namespace: &str, sign: &Sign) -> Result<(bool, String)> {
        let (words, pattern): (Vec<&str>, _) = if let Some(selector) = &sign.pods {
            (
                vec!["get", "pods", "-l", selector, "-o", "jsonpath={range .items[*]}{.status}{\"\\n\"}{end}"],
                &sign.matches,
            )
        } else if let Some(pattern) = &sign.events {
            let each = "jsonpath={range .items[*]}{.reason} {.involvedObject.kind}/{.involvedObject.name} {.message}{\"\\n\"}{end}";
            let text = self.run(namespace, &["get", "events", "-o", each], None).unwrap_or_default();
            return Ok((Regex::new(pattern)?.is_match(&text), text));
        } else {
            (sign.kubectl.iter().flatten().map(String::as_str).collect(), &sign.matches)
        };
        // A question about an object that is not there yet is no failure of the test.
        let text = self.run(namespace, &words, None).unwrap_or_else(|why| why.to_string());
        let pattern = pattern.as_deref().unwrap_or_default();
        Ok((Regex::new(pattern)?.is_match(text.trim_end()), text))
    }
}
