//! Runs the bundled incidents through a model and judges it.

use std::time::Instant;

use afterwatch_core::{
    port::model::{Progress, Step},
    writing::{Standing, Task},
};
use serde::{Deserialize, Serialize};

use super::Paper;
use crate::{
    generator::Generator,
    record::offered,
    writer::{self, Unwritten, is_flagged},
};

/// How a model is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It words and orders the advice.
    Good,
    /// It words the advice; the rules order it.
    Usable,
    /// The rules write the advice; the model is used only when somebody asks.
    Unsuited,
}

impl Verdict {
    /// `good`, `usable` or `unsuited`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Usable => "usable",
            Verdict::Unsuited => "unsuited",
        }
    }
}

/// At least this share of the outputs is valid, for each of the two better verdicts.
const VALID: [f32; 2] = [0.98, 0.9];
/// At least this share of the statements is tied to the record.
const TIED: [f32; 2] = [0.85, 0.6];
/// In at least this share of the incidents the right step comes first.
const RIGHT: [f32; 2] = [0.8, 0.0];

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub incidents: u32,
    /// Outputs that were asked for, and those of the form that was asked for.
    pub outputs: u32,
    pub valid: u32,
    pub statements: u32,
    /// Statements that are tied to the record.
    pub tied: u32,
    /// Statements that say something the record does not, or cite what does not carry them: caught by the check.
    pub caught: u32,
    /// Incidents for which steps are offered, and those where the right one came first.
    pub advised: u32,
    pub right_first: u32,
    pub seconds: f32,
    /// Generated tokens a second, while it generated.
    pub tokens_per_second: f32,
    /// To the first token, at the median.
    pub first_token_ms: u32,
}

impl Outcome {
    /// How the model is to be used, by these thresholds: good from 98 % valid outputs, 85 % tied statements and the
    /// right step first in 80 %; usable from 90 % valid and 60 % tied; else unsuited.
    pub fn verdict(&self) -> Verdict {
        let share = |n: u32, of: u32| if of == 0 { 0.0 } else { n as f32 / of as f32 };
        let valid = share(self.valid, self.outputs);
        let tied = share(self.tied, self.statements);
        let right = share(self.right_first, self.advised);
        let at_least = |n: usize| valid >= VALID[n] && tied >= TIED[n] && right >= RIGHT[n];
        match (at_least(0), at_least(1)) {
            (true, _) => Verdict::Good,
            (_, true) => Verdict::Usable,
            _ => Verdict::Unsuited,
        }
    }

    /// The verdict in a sentence.
    pub fn sentence(&self) -> String {
        let counts = format!(
            "{} of {} sentences are tied to the record, {} of {} outputs are valid, and the right step came first in {} of {} incidents",
            self.tied, self.statements, self.valid, self.outputs, self.right_first, self.advised
        );
        match self.verdict() {
            Verdict::Good => format!("It words and orders the advice: {counts}."),
            Verdict::Usable => format!("It words the advice, and the rules order it: {counts}."),
            Verdict::Unsuited => {
                format!("The rules write the advice, and the model is used only when you ask: {counts}.")
            }
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub incidents: u32,
    pub of: u32,
}

struct Silent;

impl Progress for Silent {
    fn step(&self, _: Step) {}
}

/// Puts every paper to the model: what to do, and the question. Dropping the future ends it.
///
/// # Errors
/// When the model cannot be used at all; what it broke off in the middle counts as an output that is not valid.
pub async fn run(
    generator: &dyn Generator,
    papers: &[Paper],
    done: &(dyn Fn(Done) + Send + Sync),
) -> Result<Outcome, String> {
    let begun = Instant::now();
    let mut out = Outcome::default();
    let (mut firsts, mut tokens, mut writing_ms) = (Vec::new(), 0u64, 0u64);
    let of = u32::try_from(papers.len()).unwrap_or(u32::MAX);
    for paper in papers {
        let case = paper.case();
        let advised = !offered(&case).is_empty();
        let question = Task::Ask { question: paper.question.clone(), earlier: Vec::new() };
        for task in advised.then_some(Task::Advise).into_iter().chain([question]) {
            out.outputs += 1;
            let drafted = match writer::draft(generator, &case, &task, &|_| {}, &Silent).await {
                Ok(drafted) => drafted,
                Err(Unwritten::Before(why) | Unwritten::Unfit(why)) => return Err(why),
                Err(Unwritten::Broken(_)) => continue,
            };
            out.valid += u32::from(drafted.valid);
            for statement in &drafted.statements {
                out.statements += 1;
                out.tied += u32::from(statement.standing == Standing::Tied);
                out.caught += u32::from(is_flagged(statement));
            }
            if task == Task::Advise {
                out.advised += 1;
                out.right_first += u32::from(drafted.actions.first().is_some_and(|a| paper.right.contains(a)));
            }
            let g = &drafted.generated;
            firsts.push(g.first_token_ms);
            tokens += u64::from(g.generated_tokens);
            writing_ms += u64::from(g.total_ms.saturating_sub(g.first_token_ms));
        }
        out.incidents += 1;
        done(Done { incidents: out.incidents, of });
    }
    firsts.sort_unstable();
    out.first_token_ms = firsts.get(firsts.len() / 2).copied().unwrap_or_default();
    out.seconds = begun.elapsed().as_secs_f32();
    out.tokens_per_second = if writing_ms == 0 { 0.0 } else { tokens as f32 * 1000.0 / writing_ms as f32 };
    Ok(out)
}
