//! What models were found to be by "Test my model", kept as a setting. A mark belongs to a file's very bytes: another
//! file of the same name was never tried.

use std::{collections::BTreeMap, time::Instant};

use afterwatch_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    choice,
    exam::{self, Done, Outcome, Verdict},
    library::Installed,
    models::{JobKind, Models, Running},
    problem::Problem,
    worker::WorkerGenerator,
};

/// The name they are kept under among the settings.
pub const SETTING: &str = "model_marks";

/// What came of a test, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub at: Timestamp,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The marks, by the SHA-256 of the files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(BTreeMap<String, Mark>);

impl Marks {
    /// From the setting. What cannot be read is a model that was never tried.
    pub fn from_setting(value: Option<serde_json::Value>) -> Marks {
        value.and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default()
    }

    /// As it is kept.
    pub fn to_setting(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The mark of a file, by its hash.
    pub fn of(&self, sha256: Option<&str>) -> Option<&Mark> {
        self.0.get(sha256?)
    }

    /// How a file is to be used; `None`: it was never tried.
    pub fn verdict(&self, sha256: Option<&str>) -> Option<Verdict> {
        self.of(sha256).map(|mark| mark.outcome.verdict())
    }

    /// Keeps what came of a test.
    pub fn add(&mut self, sha256: String, mark: Mark) {
        self.0.insert(sha256, mark);
    }
}

/// Begins to put the bundled incidents to a model that is here.
///
/// # Errors
/// When something else is under way.
pub fn test(models: &Models, name: String, file: &Installed) -> Result<Running<Outcome>, Problem> {
    let options = choice::options(models, file);
    models.run(JobKind::Exam, name, move |teller| async move {
        let (generator, begun) = (WorkerGenerator::new(options), Instant::now());
        let tell = |done: Done| {
            let left = begun.elapsed().as_secs_f32() / done.incidents.max(1) as f32 * (done.of - done.incidents) as f32;
            teller.told(u64::from(done.incidents), u64::from(done.of), Some(left as u32));
        };
        let papers = exam::papers();
        teller.told(0, papers.len() as u64, None);
        exam::run(&generator, &papers, &tell).await.map_err(Problem::new)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_belongs_to_the_bytes_and_survives_the_setting() {
        let mut marks = Marks::default();
        let outcome = Outcome { outputs: 10, valid: 10, statements: 20, tied: 20, ..Outcome::default() };
        let mark = Mark { at: Timestamp::UNIX_EPOCH, outcome };
        marks.add("abc".to_owned(), mark.clone());
        let read = Marks::from_setting(Some(marks.to_setting()));
        assert_eq!((read.of(Some("abc")), read.of(Some("abd")), read.of(None)), (Some(&mark), None, None));
        assert_eq!(read.verdict(Some("abc")), Some(mark.outcome.verdict()));
        assert_eq!(Marks::from_setting(Some(json!({"abc": "nonsense"}))), Marks::default());
    }
}
