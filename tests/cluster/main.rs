//! Plays real faults on a real Kubernetes API server and grades what `kubectl-afterwatch` says about them.
//!
//! One recorder watches for the whole run, as it would on a laptop, while the cases (`cases/*.yaml`) break
//! things side by side, each in a namespace of its own. `README.md` tells how to run it and how to write a case.

mod bench;
mod case;
mod gate;
mod grade;
mod kubectl;
mod product;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use case::{Case, Needs};
use gate::Gate;
use grade::{Marks, list, text};
use kubectl::Kubectl;
use product::Product;

const USAGE: &str =
    "usage: cargo test -p afterwatch-tests --test cluster -- [--list | --check | --rehearse | --bench] [CASE…]
  --list      name the cases
  --check     are all cases well formed? (needs no cluster)
  --bench     no cases: the figures, on a cluster of fake nodes (AFTERWATCH_BENCH: pods, default 1000,10000)
  --rehearse  play them without the product: do the faults show, do the fixes hold?
A CASE is a name or the beginning of one. The environment says the rest:
  AFTERWATCH_KUBECONFIG  the cluster to break (tests/cluster/run brings one up)
  AFTERWATCH_CLI         the built kubectl-afterwatch
  AFTERWATCH_KUBECTL     kubectl; default: the one on the PATH
  AFTERWATCH_LAYER       node (containers run) or kwok (nodes are pretended); default: node
  AFTERWATCH_CASES       names, with commas between, beside those on the command line
  AFTERWATCH_JOBS        how many cases are broken at one time; default: 12
  AFTERWATCH_OUT         where documents and logs of the run go; default: tests/output/cluster";

/// A dozen faults at a time, beside whatever else the machine is doing, may keep a probe or a log waiting for longer than
/// anybody would on a cluster: so many that failed are played once more by themselves, and the table says so. More is no
/// accident.
const SECOND_PLAYS: usize = 4;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(why) => {
            eprintln!("{why:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut mode = "play".to_owned();
    let mut chosen: Vec<String> = Vec::new();
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--list" | "--check" | "--rehearse" | "--bench" => mode = word,
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            _ if word.starts_with('-') => bail!("unknown option {word}\n{USAGE}"),
            _ => chosen.push(word),
        }
    }
    chosen.extend(variable("AFTERWATCH_CASES").iter().flat_map(|all| all.split(',')).map(|one| one.trim().to_owned()));
    chosen.retain(|name| !name.is_empty());

    let mut cases = case::load(&here.join("cluster/cases"))?;
    if !chosen.is_empty() {
        cases.retain(|case| chosen.iter().any(|name| case.name.starts_with(name.as_str())));
        ensure!(!cases.is_empty(), "no case is called {}", chosen.join(" or "));
    }
    match mode.as_str() {
        "--list" => {
            for case in &cases {
                println!("{}: test", case.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        "--check" => {
            grade::self_test(&case::load(&here.join("cluster/cases"))?).map_err(anyhow::Error::msg)?;
            for case in &cases {
                case.elsewhere()?;
            }
            println!("{} cases are well formed\n{} passed, 0 failed", cases.len(), cases.len());
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }

    let kubeconfig =
        variable("AFTERWATCH_KUBECONFIG").with_context(|| format!("no cluster: run tests/cluster/run\n{USAGE}"))?;
    let kubectl = Kubectl {
        program: variable("AFTERWATCH_KUBECTL").unwrap_or_else(|| "kubectl".to_owned()),
        kubeconfig: kubeconfig.clone(),
    };
    let out = variable("AFTERWATCH_OUT").map_or_else(|| here.join("output/cluster"), PathBuf::from);
    if out.exists() {
        std::fs::remove_dir_all(&out)?;
    }
    std::fs::create_dir_all(&out)?;
    let product = if mode == "--rehearse" {
        None
    } else {
        let program = variable("AFTERWATCH_CLI").with_context(|| format!("no product to test\n{USAGE}"))?;
        Some(Product { program, kubeconfig, database: out.join("afterwatch.db"), out: out.clone() })
    };
    if mode == "--bench" {
        let sizes = variable("AFTERWATCH_BENCH").unwrap_or_else(|| "1000,10000".to_owned());
        let sizes = sizes.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>().context("AFTERWATCH_BENCH")?;
        bench::run(&kubectl, product.as_ref().context("no product to measure")?, &sizes)?;
        return Ok(ExitCode::SUCCESS);
    }
    let layer = variable("AFTERWATCH_LAYER").unwrap_or_else(|| "node".to_owned());
    let jobs: usize = variable("AFTERWATCH_JOBS").map_or(Ok(12), |jobs| jobs.parse()).context("AFTERWATCH_JOBS")?;

    let (mut cases, skipped): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| layer == "node" || case.needs == Needs::Scheduler);
    // The longest first, so that the run does not end with one of them.
    cases.sort_by_key(|case| std::cmp::Reverse(case.visible.within));
    let mut watch = match &product {
        Some(product) => Some(product.watch()?),
        None => None,
    };
    // It promises to be in step with a small cluster within 5 s.
    sleep(Duration::from_secs(if watch.is_some() { 6 } else { 0 }));
    if let Some(watch) = &mut watch
        && let Some(status) = watch.ended()?
    {
        let log = std::fs::read_to_string(out.join("watch.log")).unwrap_or_default();
        bail!("`watch` ended at once with {status}: {log}");
    }
    println!(
        "playing {} cases, {jobs} at a time{}",
        cases.len(),
        watch.as_ref().map_or(String::new(), |watch| format!(", watched by process {}", watch.id()))
    );

    let mut stage = Stage { kubectl, product, gate: Gate::new(jobs, 0) };
    let mut played = stage.all(&cases, jobs);
    let failed: Vec<&Case> =
        cases.iter().filter(|case| played.iter().any(|one| one.name == case.name && !one.wrong.is_empty())).collect();
    // A false incident is one, however busy the machine.
    let again: Vec<Case> =
        failed.iter().filter(|case| !case.expect.quiet).map(|case| case.elsewhere()).collect::<Result<_>>()?;
    if failed.len() <= SECOND_PLAYS && !again.is_empty() {
        println!("playing {} once more, one at a time", again.len());
        for second in stage.all(&again, 1) {
            let Some(first) = played.iter_mut().find(|one| one.name == second.name) else { continue };
            let known = first.numbers.iter().chain(&second.numbers).copied().collect();
            let before = std::mem::take(&mut first.wrong);
            *first = Played { before, numbers: known, ..second };
        }
    }
    played.sort_by(|a, b| a.name.cmp(&b.name));
    if let (Some(product), Some(watch)) = (&stage.product, watch) {
        played.extend(afterwards(product, watch, &played));
    }
    Ok(table::print(&played, &skipped, &layer))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

struct Stage {
    kubectl: Kubectl,
    /// None when the cases are only rehearsed.
    product: Option<Product>,
    gate: Gate,
}

#[derive(Default)]
struct Played {
    name: String,
    rule: String,
    summary: String,
    wrong: Vec<String>,
    shown: Option<Duration>,
    detected: Option<f64>,
    resolved: Option<f64>,
    verdict: String,
    /// The incidents of its namespace.
    numbers: Vec<u64>,
    /// What was wrong when it was played first, where it was played twice.
    before: Vec<String>,
    marks: Option<Marks>,
    started: Option<Instant>,
    took: Duration,
}

impl Played {
    fn broken() -> Self {
        Self { name: "?".to_owned(), wrong: vec!["the test itself panicked".to_owned()], ..Self::default() }
    }
}

impl Stage {
    /// Plays these cases, so many at a time.
    fn all(&mut self, cases: &[Case], jobs: usize) -> Vec<Played> {
        self.gate = Gate::new(jobs, cases.iter().filter(|case| !case.alone).count());
        let (stage, done) = (&*self, Mutex::new(0));
        std::thread::scope(|scope| {
            let all: Vec<_> = cases.iter().map(|case| scope.spawn(|| stage.play(case, &done, cases.len()))).collect();
            all.into_iter().map(|one| one.join().unwrap_or_else(|_| Played::broken())).collect()
        })
    }

    fn play(&self, case: &Case, done: &Mutex<usize>, all: usize) -> Played {
        let mut played = Played {
            name: case.name.clone(),
            rule: case.rule.clone(),
            summary: case.summary.clone(),
            ..Played::default()
        };
        if let Err(why) = self.acts(case, &mut played) {
            played.wrong.push(format!("{why:#}"));
        }
        played.took = played.started.map(|started| started.elapsed()).unwrap_or_default();
        if !played.wrong.is_empty()
            && let Ok(all) = self.recorded(&case.namespace)
        {
            played.numbers = numbers(&all);
        }
        let _ = self.kubectl.play(&case.namespace, &case.cleanup);
        let delete = ["delete", "namespace", &case.namespace, "--ignore-not-found", "--wait=false"];
        let _ = self.kubectl.run(&case.namespace, &delete, None);
        let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *done += 1;
        let verdict = if played.wrong.is_empty() { "ok" } else { "FAILED" };
        println!("[{:>2}/{all}] {} … {verdict}", *done, case.name);
        for wrong in &played.wrong {
            println!("        {wrong}");
        }
        played
    }

    fn acts(&self, case: &Case, played: &mut Played) -> Result<()> {
        let namespace = case.namespace.as_str();
        let turn = if case.alone { self.gate.enter_alone() } else { self.gate.enter(true) };
        played.started = Some(Instant::now());
        self.kubectl.fresh_namespace(namespace)?;
        self.kubectl.play(namespace, &case.setup).context("in the setup")?;
        let before = self.recorded(namespace)?;
        ensure!(
            before.is_empty(),
            "before the fault there already are {} incidents: {}",
            before.len(),
            titles(&before)
        );
        self.kubectl.play(namespace, &case.fault).context("in the fault")?;
        let shown = self.kubectl.wait_for(namespace, &case.visible, false).context("the fault never showed")?;
        played.shown = Some(shown);

        if case.expect.quiet {
            if let Some(product) = &self.product {
                sleep(Duration::from_secs(case.watch_for));
                let incidents = self.recorded(namespace)?;
                ensure!(incidents.is_empty(), "nothing is wrong, and yet: {}", titles(&incidents));
                let (code, incidents) = product.scan(namespace).context("scan")?;
                ensure!(code == Some(0) && incidents.is_empty(), "scan ends with {code:?}: {}", titles(&incidents));
            }
            return Ok(());
        }

        if let Some(product) = &self.product {
            self.until(Duration::from_secs(60), || Ok(grade::fault(case, &self.recorded(namespace)?)))?;
            // A right answer must also stay right, and stay the only one.
            sleep(Duration::from_secs(case.watch_for));
            let incidents = self.recorded(namespace)?;
            played.wrong.extend(grade::fault(case, &incidents));
            played.marks = Some(grade::marks(case, &incidents));
            self.keep(case, &incidents);
            let verdicts: BTreeSet<&str> = incidents.iter().map(|incident| text(incident, "verdict")).collect();
            played.verdict = verdicts.into_iter().collect::<Vec<_>>().join(", ");
            let seconds = incidents.iter().filter_map(|incident| incident["times"]["to_detect_s"].as_f64());
            played.detected = seconds.max_by(f64::total_cmp);
            if incidents.len() == case.expect.each().len() {
                played.wrong.extend(excerpts(product, case, &incidents)?);
            }
            played.numbers = numbers(&incidents);
            // One look sees one moment: a program that crashes may just be up, a rejected pod just be made anew.
            let scanned = self.until(Duration::from_secs(30), || {
                let (code, seen) = product.scan(namespace).context("scan")?;
                let ended = (code != Some(3)).then(|| format!("it ends with {code:?}, not 3"));
                Ok(ended.into_iter().chain(grade::causes(case, &seen)).collect())
            })?;
            played.wrong.extend(scanned.into_iter().map(|wrong| format!("scan: {wrong}")));
        }
        self.mend(case)?;
        if self.product.is_some() && played.numbers.is_empty() {
            return Ok(()); // what was never found cannot resolve
        }
        drop(turn); // others may break things while this one proves that it stays whole
        let first = self.resolved(case, played)?;

        if case.again && self.product.is_some() {
            let turn = self.gate.enter(false);
            self.kubectl.play(namespace, &case.fault).context("in the fault, again")?;
            self.kubectl.wait_for(namespace, &case.visible, false).context("the fault did not show again")?;
            let reopened = self.until(Duration::from_secs(60), || {
                let incidents = self.recorded(namespace)?;
                Ok(match incidents.as_slice() {
                    [one] if one["number"] != first["number"] => vec!["the same fault got another number".to_owned()],
                    [one] if one["state"] == "resolved" || !one["resolved_at"].is_null() => {
                        vec!["the same fault within the hour did not reopen it".to_owned()]
                    }
                    [one] if one["notifications"] != first["notifications"] => {
                        vec!["reopening counted as another opening notification".to_owned()]
                    }
                    [_] => vec![],
                    other => vec![format!("the same fault again made {} incidents: {}", other.len(), titles(other))],
                })
            })?;
            played.wrong.extend(reopened);
            self.mend(case)?;
            drop(turn);
            self.resolved(case, played)?;
        }
        Ok(())
    }

    fn mend(&self, case: &Case) -> Result<()> {
        self.kubectl.play(&case.namespace, &case.fix).context("in the fix")?;
        if let Some(fixed) = &case.fixed {
            self.kubectl.wait_for(&case.namespace, fixed, true).context("the fix did not take")?;
        }
        Ok(())
    }

    /// A minute of health after the impact is over; half a minute for noticing, as much again for a busy machine.
    fn resolved(&self, case: &Case, played: &mut Played) -> Result<Value> {
        if self.product.is_none() {
            return Ok(Value::Null);
        }
        let mended = Instant::now();
        let (mut last, mut kept) = (Value::Null, Vec::new());
        let wrong = self.until(Duration::from_secs(150), || {
            let incidents = self.recorded(&case.namespace)?;
            last = incidents.first().cloned().unwrap_or_default();
            kept.clone_from(&incidents);
            if incidents.len() != case.expect.each().len() {
                return Ok(vec![format!(
                    "after the fix there are {} incidents: {}",
                    incidents.len(),
                    titles(&incidents)
                )]);
            }
            Ok(incidents.iter().flat_map(grade::resolved).collect())
        })?;
        if wrong.is_empty() {
            played.resolved = Some(mended.elapsed().as_secs_f64());
        }
        played.wrong.extend(wrong);
        self.keep(case, &kept);
        Ok(last)
    }

    fn recorded(&self, namespace: &str) -> Result<Vec<Value>> {
        self.product.as_ref().map_or(Ok(Vec::new()), |product| product.incidents(Some(namespace)))
    }

    /// Asks until nobody complains or the time is up; the last complaints.
    fn until(&self, limit: Duration, mut ask: impl FnMut() -> Result<Vec<String>>) -> Result<Vec<String>> {
        let started = Instant::now();
        loop {
            let wrong = ask()?;
            if wrong.is_empty() || started.elapsed() > limit {
                return Ok(wrong);
            }
            sleep(Duration::from_secs(2));
        }
    }

    /// For whoever looks into a failure: what was graded.
    fn keep(&self, case: &Case, incidents: &[Value]) {
        if let Some(product) = &self.product
            && let Ok(text) = serde_json::to_string_pretty(incidents)
        {
            let _ = std::fs::write(product.out.join(format!("{}-{}.json", case.name, case.namespace)), text);
        }
    }
}

/// Every piece of evidence that a first cause cites can be printed, and the quotes are in the record.
fn excerpts(product: &Product, case: &Case, incidents: &[Value]) -> Result<Vec<String>> {
    let (mut wrong, mut all) = (Vec::new(), String::new());
    for incident in incidents {
        let cited = list(incident, "causes").first().map_or(&[][..], |cause| list(cause, "evidence"));
        for item in list(incident, "evidence") {
            let evidence = text(item, "id");
            let excerpt = product.excerpt(text(incident, "id"), evidence)?;
            if excerpt.trim().is_empty() && cited.iter().any(|cited| cited == evidence) {
                wrong.push(format!("{evidence} is cited and empty"));
            }
            all.push_str(&excerpt);
        }
    }
    let quotes = case.expect.each().into_iter().flat_map(|key| &key.quotes);
    for quote in quotes.filter(|quote| !all.contains(quote.as_str())) {
        wrong.push(format!("no evidence holds the words {quote:?}"));
    }
    Ok(wrong)
}

/// What only the end of the run can tell: nothing else was reported, and the recorder ends as promised.
fn afterwards(product: &Product, watch: product::Watch, played: &[Played]) -> Vec<Played> {
    let mut calm = Played {
        name: "nothing-else-reported".to_owned(),
        rule: "calm".to_owned(),
        summary: "Nothing but the faults is an incident, and neither is the deletion of all those namespaces."
            .to_owned(),
        ..Played::default()
    };
    // The namespaces were deleted just now, and that is no incident either.
    sleep(Duration::from_secs(15));
    let known: BTreeSet<u64> = played.iter().flat_map(|played| played.numbers.iter().copied()).collect();
    let mut opened = 0;
    match product.incidents(None) {
        Ok(all) => {
            opened = all.iter().filter(|incident| incident["severity"] != "low").count();
            for other in all.iter().filter(|one| one["number"].as_u64().is_none_or(|number| !known.contains(&number))) {
                calm.wrong.push(format!("{} ({})", text(other, "title"), other["subject"]));
            }
        }
        Err(why) => calm.wrong.push(format!("{why:#}")),
    }
    let mut end = Played {
        name: "watch-ends-as-promised".to_owned(),
        rule: "watch".to_owned(),
        summary: "Interrupted, the recorder ends in time, with 130 and its result as the last line.".to_owned(),
        ..Played::default()
    };
    match watch.interrupt() {
        Ok(result) => {
            let sent = result["notifications_sent"].as_u64().unwrap_or_default();
            if sent != opened as u64 {
                end.wrong.push(format!("{sent} notifications for {opened} incidents worth one"));
            }
            let metrics = &result["metrics"];
            if metrics["dropped"].as_u64() != Some(0) {
                end.wrong.push(format!("observations were dropped: {}", metrics["dropped"]));
            }
            println!("the recorder's own figures: {metrics}");
        }
        Err(why) => end.wrong.push(format!("{why:#}")),
    }
    vec![calm, end]
}

fn numbers(incidents: &[Value]) -> Vec<u64> {
    incidents.iter().filter_map(|incident| incident["number"].as_u64()).collect()
}

fn titles(incidents: &[Value]) -> String {
    incidents.iter().map(|incident| format!("“{}”", text(incident, "title"))).collect::<Vec<_>>().join(", ")
}
