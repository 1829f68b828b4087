//! Asking, advice, and the models.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::One;

#[derive(Args, Debug)]
pub struct Models {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// The models that are here, and those that can be had
    List,
    /// Import a .gguf file, or download a model of the catalogue by its id
    Add(AddModel),
    /// Say which model writes
    Choose(ChooseModel),
    /// Put the recorded incidents that come with the program to a model, and say how it is to be used
    Test(TestModel),
    /// Delete a model's file
    Remove(OneModel),
}

#[derive(Args, Debug)]
pub struct AddModel {
    /// A .gguf file, or the id of a model that `models list` offers; only the latter contacts anybody
    #[arg(value_name = "FILE|ID")]
    pub model: PathBuf,

    /// Let it write from now on
    #[arg(long)]
    pub choose: bool,
}

#[derive(Args, Debug)]
pub struct ChooseModel {
    /// A model that is here, or none: then rules and templates write
    #[arg(value_name = "ID|none", required_unless_present_any = ["server", "forget_server"], conflicts_with = "server")]
    pub id: Option<String>,

    /// The address of an OpenAI-compatible inference server of yours, for example http://localhost:8080/v1. What is
    /// asked, with the evidence chosen for it, is sent there
    #[arg(long, value_name = "URL", requires = "model")]
    pub server: Option<String>,

    /// The model's name on that server
    #[arg(long, value_name = "NAME", requires = "server")]
    pub model: Option<String>,

    /// Tokens that fit into that model, where the server does not tell
    #[arg(long, value_name = "N", requires = "server", value_parser = clap::value_parser!(u32).range(512..))]
    pub context_tokens: Option<u32>,

    /// Read the server's key from stdin, and keep it in this system's keychain
    #[arg(long, requires = "server")]
    pub key_stdin: bool,

    /// Forget the server and its key
    #[arg(long, conflicts_with = "server")]
    pub forget_server: bool,
}

#[derive(Args, Debug)]
pub struct TestModel {
    /// Its id, as models list names it [default: the one that is chosen]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
}

#[derive(Args, Debug)]
pub struct OneModel {
    /// The model's id, as `models list` names it
    #[arg(value_name = "ID")]
    pub id: String,
}

#[derive(Args, Debug)]
pub struct Ask {
    #[command(flatten)]
    pub one: One,

    /// What to ask; - reads stdin
    #[arg(value_name = "QUESTION", required = true, num_args = 1..)]
    pub question: Vec<String>,

    #[command(flatten)]
    pub writer: Writer,
}

#[derive(Args, Debug)]
pub struct Advise {
    #[command(flatten)]
    pub one: One,

    /// Say which steps to take, in which order, and why
    #[arg(long)]
    pub explain: bool,

    #[command(flatten)]
    pub writer: Writer,
}

/// Who writes. Without either it is the model that is chosen in the app, and rules where none is.
#[derive(Args, Clone, Debug, Default)]
pub struct Writer {
    /// This model file (GGUF) writes, on this computer
    #[arg(long, value_name = "PATH", conflicts_with = "no_model")]
    pub model: Option<PathBuf>,

    /// Rules write, without a model
    #[arg(long)]
    pub no_model: bool,
}
