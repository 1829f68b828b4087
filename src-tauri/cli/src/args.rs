//! What can be typed. These names are a promise to scripts: add to them, never change them.

#[path = "args/assistant.rs"]
mod assistant;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

pub use self::assistant::*;
use crate::span;

/// Watches Kubernetes, keeps the evidence, says what broke and why.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-afterwatch",
    bin_name = "kubectl afterwatch",
    version,
    about = "The incident desk for Kubernetes, without its window.",
    long_about = "The incident desk for Kubernetes, without its window: watches the clusters of your kubeconfig, notices \
                  what breaks, keeps the evidence, says what most likely caused it and what to do, and writes the \
                  post-mortem. It only reads from the cluster, and works on the same database as the app.",
    after_help = "Exit codes: 0 done, nothing wrong found · 1 failed · 2 wrong usage · 3 done, open incidents exist (scan,\n\
                  inspect; incidents --fail-on-open) · 4 done in part, something could not be read · 130 interrupted, what was\n\
                  recorded is kept. Results go to stdout, everything else to stderr.\n\n\
                  Environment: KUBECONFIG · NO_COLOR · VISUAL, EDITOR (notes --edit) · AFTERWATCH_DATA_DIR (the folder of\n\
                  the database and its backups) · AFTERWATCH_PLUGIN_LIMIT (how long a credential plugin may take, 60s) ·\n\
                  AFTERWATCH_MODEL_WORKER (the program that runs models)",
    disable_help_subcommand = true,
    propagate_version = true
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands, before or after its name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Context of the kubeconfig; repeat it for several clusters at once [default: the current context]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Vec<String>,

    /// The kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,

    /// Show only what touches this namespace; repeatable. Everything your rights allow is read all the same
    #[arg(short, long, global = true, value_name = "NS")]
    pub namespace: Vec<String>,

    /// The database, or :memory: to keep nothing [default: the app's own; scan, inspect: :memory:]
    #[arg(long, global = true, value_name = "PATH")]
    pub db: Option<PathBuf>,

    /// How results are written. On a terminal and in a pipe alike the default is for people, scripts name json
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table")]
    pub output: Format,

    /// No progress on stderr, only trouble
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Tell on stderr what is done; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// No colour (as the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: lines of text, folded to the terminal's width
    Table,
    /// One JSON document
    Json,
    /// A JSON object per line
    Jsonl,
    /// The same document in YAML
    Yaml,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look once and say what is wrong now. Keeps nothing unless --db is given
    Scan(Scan),
    /// Look into one workload that looks healthy: its state, what lies around it, and its newest log lines
    Inspect(Inspect),
    /// Watch and record until the time is up or Ctrl C, then print every incident open meanwhile
    Watch(Watch),
    /// The history of incidents, newest first
    Incidents(Incidents),
    /// One incident whole
    Incident(One),
    /// The timeline of an incident
    Timeline(One),
    /// The evidence of an incident, or one item's excerpt
    Evidence(Evidence),
    /// What was changed around an incident
    Changes(One),
    /// Add a dated entry to the timeline of an incident
    Note(Note),
    /// Print or edit the notes document of an incident
    Notes(Notes),
    /// Acknowledge an incident
    Ack(One),
    /// Close an incident by hand
    Resolve(Resolve),
    /// Open a resolved incident again
    Reopen(One),
    /// Mute notifications for a while. Incidents still open and count
    Silence(Silence),
    /// List the mutes that hold, or end one
    Silences(Silences),
    /// Ask a question about an incident. The answer comes from what was recorded, and cites it
    Ask(Ask),
    /// The recommended steps for an incident, with their kubectl lines
    Advise(Advise),
    /// The post-mortem of an incident
    Report(Report),
    /// Play a recording as a cluster of its own and watch it: no cluster is needed. Keeps nothing unless --db is given
    Replay(Replay),
    /// The language models: what is here, what can be had, which one writes
    Models(Models),
    /// Check everything Afterwatch needs, and say what to do about what is missing
    Doctor,
}

/// An incident.
#[derive(Args, Debug)]
pub struct One {
    /// Number (47 or INC-47), or UUID or its unique beginning
    #[arg(value_name = "ID")]
    pub id: String,
}

#[derive(Args, Debug)]
pub struct Scan {
    /// Add the figures of this run to the document
    #[arg(long)]
    pub metrics: bool,
}

#[derive(Args, Debug)]
pub struct Inspect {
    /// The object, as kubectl names it: deploy/checkout, or deployment checkout. It is looked for in the namespace of
    /// -n, else in that of the context
    #[arg(value_name = "KIND/NAME", required = true, num_args = 1..=2)]
    pub what: Vec<String>,

    /// Add the figures of this run to the document
    #[arg(long)]
    pub metrics: bool,
}

#[derive(Args, Debug)]
pub struct Watch {
    /// End by itself after this time, for example 90s, 5m or 1h30m
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse)]
    pub time: Option<SignedDuration>,

    /// Send desktop notifications; without it they are only counted
    #[arg(long)]
    pub notify: bool,

    /// Write everything that is read to this file, redacted, to be played again by replay. One context only
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// What the recording is called
    #[arg(long, value_name = "TEXT", requires = "record")]
    pub title: Option<String>,

    /// What happens in the recording, in one paragraph
    #[arg(long, value_name = "TEXT", requires = "record")]
    pub summary: Option<String>,

    /// Add the figures of this run to the document
    #[arg(long)]
    pub metrics: bool,
}

#[derive(Args, Debug)]
pub struct Replay {
    /// A file that watch --record wrote, or the name of a story that comes with the program
    #[arg(value_name = "FILE|NAME", required_unless_present = "list")]
    pub recording: Option<String>,

    /// Seconds of the story that pass in a real one
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed)]
    pub speed: f64,

    /// List the stories that come with the program
    #[arg(long, conflicts_with = "recording")]
    pub list: bool,

    /// Send desktop notifications; without it they are only counted
    #[arg(long)]
    pub notify: bool,

    /// Add the figures of this run to the document
    #[arg(long)]
    pub metrics: bool,
}

/// Faster than this the story is over before anything can be read of it; slower than a tenth nobody waits for it.
fn speed(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('x').parse::<f64>() {
        Ok(speed) if (0.1..=600.0).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.1 to 600, for example 60".to_owned()),
    }
}

#[derive(Args, Debug)]
pub struct Incidents {
    /// Only those that are not resolved
    #[arg(long)]
    pub open: bool,

    /// Only those that were open at any time since then, for example 12h or 7d
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub since: Option<SignedDuration>,

    /// Only those whose title, causes, evidence, timeline or notes hold these words
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,

    /// End with 3 when one of them is not resolved
    #[arg(long)]
    pub fail_on_open: bool,
}

#[derive(Args, Debug)]
pub struct Evidence {
    #[command(flatten)]
    pub one: One,

    /// One item (E7): prints the excerpt itself
    #[arg(value_name = "E7")]
    pub item: Option<String>,
}

#[derive(Args, Debug)]
pub struct Note {
    #[command(flatten)]
    pub one: One,

    /// What to write; - reads stdin
    #[arg(value_name = "TEXT", required = true, num_args = 1..)]
    pub text: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Notes {
    #[command(flatten)]
    pub one: One,

    /// Open the document in $VISUAL or $EDITOR and save it
    #[arg(long)]
    pub edit: bool,
}

#[derive(Args, Debug)]
pub struct Resolve {
    #[command(flatten)]
    pub one: One,

    /// Why it is closed
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Args, Debug)]
pub struct Silence {
    /// The incident whose object is muted: number (47 or INC-47), or UUID or its unique beginning. Or mute all of
    /// --namespace, --context or --rule
    #[arg(value_name = "ID")]
    pub id: Option<String>,

    /// How long, for example 1h or 2d
    #[arg(long = "for", value_name = "TIME", value_parser = span::parse, default_value = "1h")]
    pub time: SignedDuration,

    /// Only findings of this rule, for example container-oom-killed
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,

    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

#[derive(Args, Debug)]
pub struct Silences {
    /// End this mute: its id or a unique beginning of it
    #[arg(long, value_name = "ID")]
    pub end: Option<String>,
}

#[derive(Args, Debug)]
pub struct Report {
    #[command(flatten)]
    pub one: One,

    /// md: Markdown. html: one page that needs nothing else. pdf: A4, for archives and screen readers. json: the
    /// incident with its evidence, notes, coverage, gaps, and the Markdown
    #[arg(long, value_name = "FORMAT", default_value = "md")]
    pub format: ReportFormat,

    /// Write to this file, or into this folder under a name of its own, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Which sections it has: house, google-sre, pagerduty, atlassian, or a Markdown file of your own
    #[arg(long, value_name = "NAME|FILE")]
    pub shape: Option<String>,

    /// Markdown only: begin with the facts as YAML front matter
    #[arg(long)]
    pub front_matter: bool,

    /// Markdown only: draw the time axis into an .svg file beside it
    #[arg(long, requires = "out")]
    pub figure: bool,
}

/// What a post-mortem is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Md,
    Html,
    Pdf,
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_report_is_asked_for_in_a_format_and_a_shape() {
        let args = ["x", "report", "47", "--format", "pdf", "--shape", "google-sre", "--out", "f.pdf"];
        let Command::Report(report) = Cli::try_parse_from(args).unwrap().command else { panic!("not a report") };
        assert_eq!(report.format, ReportFormat::Pdf);
        assert_eq!(report.shape.as_deref(), Some("google-sre"));
        assert!(Cli::try_parse_from(["x", "report", "47", "--figure"]).is_err(), "the figure needs a place");
        assert!(Cli::try_parse_from(["x", "report", "47", "--format", "docx"]).is_err());
    }

    #[test]
    fn common_options_are_understood_before_and_after_the_command() {
        let cli = Cli::try_parse_from([
            "x",
            "-n",
            "shop",
            "--db",
            ":memory:",
            "watch",
            "--for",
            "90s",
            "-o",
            "json",
            "--metrics",
            "-n",
            "pay",
            "--context",
            "a",
        ])
        .unwrap();
        assert_eq!(cli.common.namespace.last().map(String::as_str), Some("pay"));
        assert_eq!(cli.common.output, Format::Json);
        let Command::Watch(watch) = cli.command else { panic!("not a watch") };
        assert_eq!(watch.time, Some(SignedDuration::from_secs(90)));
        assert!(watch.metrics);
    }

    #[test]
    fn a_workload_is_named_as_kubectl_names_it() {
        let what = |words: &[&str]| match Cli::try_parse_from(words).unwrap().command {
            Command::Inspect(inspect) => inspect.what,
            _ => Vec::new(),
        };
        assert_eq!(what(&["x", "inspect", "deploy/checkout", "-n", "shop", "-o", "json"]), ["deploy/checkout"]);
        assert_eq!(what(&["x", "inspect", "deployment", "checkout"]), ["deployment", "checkout"]);
        assert!(Cli::try_parse_from(["x", "inspect"]).is_err());
        assert!(Cli::try_parse_from(["x", "inspect", "a", "b", "c"]).is_err());
    }

    #[test]
    fn several_namespaces_and_contexts_may_be_named() {
        let cli = Cli::try_parse_from(["x", "scan", "-n", "a", "-n", "b", "--context", "c", "--context", "d"]).unwrap();
        assert_eq!(cli.common.namespace, ["a", "b"]);
        assert_eq!(cli.common.context, ["c", "d"]);
    }

    #[test]
    fn the_outside_exam_starts_its_watch_like_this() {
        let words = [
            "x",
            "watch",
            "--for",
            "120s",
            "-o",
            "json",
            "--db",
            "/tmp/x.db",
            "--metrics",
            "--kubeconfig",
            "/k",
            "-n",
            "a",
        ];
        assert!(Cli::try_parse_from(words).is_ok());
    }

    #[test]
    fn a_model_is_chosen_by_id_or_by_server_and_never_by_both() {
        let fits = |words: &[&str]| Cli::try_parse_from([&["x", "models"], words].concat()).is_ok();
        assert!(fits(&["list"]) && fits(&["add", "/a/b.gguf"]) && fits(&["remove", "b"]));
        assert!(fits(&["choose", "none"]) && fits(&["choose", "--server", "http://localhost:8080/v1", "--model", "m"]));
        assert!(fits(&["choose", "--forget-server"]));
        assert!(!fits(&["choose"]) && !fits(&["choose", "--server", "http://x/v1"]));
        assert!(
            !fits(&["choose", "a", "--server", "http://x/v1", "--model", "m"])
                && !fits(&["choose", "a", "--key-stdin"])
        );
    }

    #[test]
    fn a_note_may_be_several_words_or_a_dash() {
        let text = |words: &[&str]| match Cli::try_parse_from(words).unwrap().command {
            Command::Note(note) => note.text.join(" "),
            _ => String::new(),
        };
        assert_eq!(text(&["x", "note", "47", "rolled", "back"]), "rolled back");
        assert_eq!(text(&["x", "note", "47", "-"]), "-");
    }
}
