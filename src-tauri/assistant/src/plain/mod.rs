//! What the rules write, without a model: answers, advice and sections, at once and from the record alone.
//!
//! A statement that is tied and cites nothing stands on the timeline itself: the incident's moments, its state, what
//! people and Afterwatch did, and the gaps.

mod advise;
mod ask;
mod search;
mod section;

use afterwatch_core::writing::{Author, Case, Section, Standing, Statement, Task, Writing};

use crate::record::{Record, sentence};

/// What is answered where nothing that was recorded fits.
pub const NOT_ESTABLISHED: &str = "Not established from what was recorded.";

/// Carries a task out. The same case always gives the same text.
pub fn write(case: &Case, task: &Task) -> Writing {
    let record = Record::new(case);
    let (statements, actions) = match task {
        Task::Ask { question, .. } => (ask::answer(&record, question), Vec::new()),
        Task::Advise => advise::advise(&record),
        Task::Section(section) => (of(&record, *section), Vec::new()),
    };
    Writing { author: Author::Rules, statements, actions, figures: None, instead: None }
}

fn of(record: &Record<'_>, section: Section) -> Vec<Statement> {
    section::write(record, section)
}

impl Record<'_> {
    /// Text from the record with what it stands on; *not established* when nothing that is there carries it.
    fn cited(&self, text: &str, ids: &[String]) -> Statement {
        let cites = self.known(ids);
        let standing = match cites.is_empty() {
            true => Standing::NotEstablished("nothing was kept that shows it".to_owned()),
            false => Standing::Tied,
        };
        Statement { text: sentence(text), cites, standing }
    }

    /// The same for what the timeline itself records.
    fn recorded(&self, text: &str, ids: &[String]) -> Statement {
        Statement { text: sentence(text), cites: self.known(ids), standing: Standing::Tied }
    }
}

/// Something that is said not to be known.
fn unknown(text: &str, why: &str) -> Statement {
    Statement { text: sentence(text), cites: Vec::new(), standing: Standing::NotEstablished(why.to_owned()) }
}

/// A moment of an incident that is told in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Started,
    Detected,
    Ended,
}

/// What is known of a moment, as a sentence.
pub(crate) fn moment(record: &Record<'_>, of: Moment) -> String {
    match of {
        Moment::Started => section::start(record).text,
        Moment::Detected => section::detection(record).swap_remove(0).text,
        Moment::Ended => section::end(record).text,
    }
}
