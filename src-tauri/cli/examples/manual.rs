//! Writes what is installed beside the programs and says the same as `--help`: man pages, shell completions and
//! kubectl's completion hook. `cargo run -p kubectl-afterwatch --example manual -- FOLDER`; `packaging/build` does.
//!
//! It reads the very definitions of the arguments, the app's too. An example, so that nothing of it is shipped.

#[path = "../src/args.rs"]
mod args;
#[path = "../src/span.rs"]
mod span;
#[expect(dead_code, reason = "only the definitions of the arguments are read here")]
#[path = "../../src/args.rs"]
mod window;

use std::{env, fmt::Write, fs, io, path::Path};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or_else(|| io::Error::other("name the folder to write to"))?;
    let folder = Path::new(&folder);
    let pages = folder.join("man");
    fs::create_dir_all(&pages)?;
    // The man pages call the program as it lies on the PATH, since that is what `man` is asked for.
    let program = || args::Cli::command().bin_name("kubectl-afterwatch");
    clap_mangen::generate_to(program().display_name("kubectl-afterwatch"), &pages)?;
    clap_mangen::generate_to(window::Args::command(), &pages)?;

    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut program(), "kubectl-afterwatch", &completions)?;
    }
    let mut built = program();
    built.build();
    fs::write(folder.join("kubectl_complete-afterwatch"), hook(&built))
}

/// The program that kubectl asks when somebody presses Tab after `kubectl afterwatch`: it gets the words, the last of
/// them unfinished, and answers a candidate per line, with a tab before its description, and a directive.
fn hook(program: &Command) -> String {
    let mut script = String::from(
        "#!/bin/sh\n# kubectl asks this for the completions of `kubectl afterwatch`. Made from the program's own arguments.\n\
         tab=$(printf '\\t')\ncommand=\nwhile [ $# -gt 1 ]; do\n  case $1 in\n",
    );
    let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
    let _ = writeln!(script, "    {}) [ -n \"$command\" ] || command=$1 ;;", names.join(" | "));
    script.push_str("  esac\n  shift\ndone\ncase $command/$1 in\n");
    for command in program.get_subcommands() {
        let _ = writeln!(script, "  {}/-*) cat << END\n{}END\n    ;;", command.get_name(), options(command));
    }
    let _ = writeln!(script, "  /-*) cat << END\n{}END\n    ;;", options(program));
    let commands: String = program.get_subcommands().fold(String::new(), |mut all, c| {
        let _ = writeln!(all, "{}${{tab}}{}", c.get_name(), about(c.get_about()));
        all
    });
    let _ = writeln!(script, "  /*) cat << END\n{commands}END\n    ;;\nesac");
    // 4: do not offer files instead.
    script.push_str("echo :4\n");
    script
}

fn options(command: &Command) -> String {
    let mut lines = String::new();
    for option in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        if let Some(long) = option.get_long() {
            let _ = writeln!(lines, "--{long}${{tab}}{}", about(option.get_help()));
        }
    }
    lines
}

/// The first line, harmless in a here-document.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !matches!(c, '$' | '`' | '\\')).collect()
}
