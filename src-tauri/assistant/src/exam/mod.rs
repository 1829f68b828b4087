//! "Test my model": bundled incidents are run through the chosen model, and the verdict says how it is to be used.

mod paper;
mod run;

pub use paper::{Paper, papers};
pub use run::{Done, Outcome, Verdict, run};
