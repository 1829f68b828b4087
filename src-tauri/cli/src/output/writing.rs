//! How what was written about an incident reads, and what is seen while it is written.

use std::sync::{Mutex, PoisonError};

use afterwatch_core::{
    incident::Incident,
    port::model::{Progress, Step},
    writing::{Author, Standing, Statement, Writing},
};

use super::Page;

/// Columns of what was written last that are shown while it goes on.
const TAIL: usize = 48;

/// Sentences with what they stand on, who wrote them, and what is to be known of that.
pub fn answer(page: &mut Page<'_>, writing: &Writing) {
    let (shown, struck): (Vec<_>, Vec<_>) = writing.statements.iter().partition(|s| !is_struck(s));
    if shown.is_empty() {
        page.line("Not established from what was recorded.");
    }
    shown.iter().for_each(|statement| sentence(page, "", statement));
    if !struck.is_empty() {
        page.heading("Struck, because the record speaks against it");
        for statement in struck {
            let why = why(statement).map(|why| format!("  ({why})")).unwrap_or_default();
            page.hanging("  ", format!("{}{why}", statement.text), &[]);
        }
    }
    page.blank();
    page.line(foot(writing));
}

/// The recommended steps in the order to take them, each with why. What the incident holds besides is not shown.
pub fn advice(page: &mut Page<'_>, incident: &Incident, writing: &Writing) {
    for (n, (id, statement)) in writing.actions.iter().zip(&writing.statements).enumerate() {
        let Some(action) = incident.actions.iter().find(|a| &a.id == id) else { continue };
        super::incident::step(page, n + 1, action);
        sentence(page, "      Why: ", statement);
    }
    // What is said beyond the steps, or where there is none.
    for statement in writing.statements.iter().skip(writing.actions.len()).filter(|s| !is_struck(s)) {
        sentence(page, "", statement);
    }
    page.blank();
    page.line(foot(writing));
}

fn sentence(page: &mut Page<'_>, before: &str, statement: &Statement) {
    let mark = match &statement.standing {
        Standing::Tied => "",
        Standing::NotEstablished(_) => "Not established: ",
        Standing::Struck(_) => "Struck: ",
    };
    let cited = match &statement.cites[..] {
        // What is tied and cites nothing stands on the timeline itself.
        [] if statement.standing == Standing::Tied => " [timeline]".to_owned(),
        [] => String::new(),
        ids => format!(" [{}]", ids.join(", ")),
    };
    let why = why(statement).map(|why| format!("  ({why})")).unwrap_or_default();
    page.hanging(before, format!("{mark}{}{cited}{why}", statement.text), &[]);
}

fn is_struck(statement: &Statement) -> bool {
    matches!(statement.standing, Standing::Struck(_))
}

fn why(statement: &Statement) -> Option<&str> {
    match &statement.standing {
        Standing::Tied => None,
        Standing::NotEstablished(why) | Standing::Struck(why) => Some(why.trim_end_matches('.')),
    }
}

/// `3 of 4 sentences are tied to evidence. Written by some model on this computer, 11 tokens per second.`
fn foot(writing: &Writing) -> String {
    let (tied, all) = (writing.tied(), writing.statements.len());
    let noun = if all == 1 { "sentence is" } else { "sentences are" };
    let mut text = format!("{tied} of {all} {noun} tied to evidence. ");
    match &writing.author {
        Author::Rules => text.push_str("Written by rules, without a model."),
        Author::Model { name, server: None } => text.push_str(&format!("Written by {name} on this computer")),
        Author::Model { name, server: Some(at) } => text.push_str(&format!("Written by {name} at {at}")),
    }
    if let (Author::Model { .. }, figures) = (&writing.author, writing.figures) {
        let speed = figures.map(|f| format!(", {:.1} tokens per second", f.tokens_per_second));
        text.push_str(&format!("{}.", speed.unwrap_or_default()));
    }
    text
}

/// Shows on stderr how far the writing is: a line that changes on a terminal, a line for each beginning elsewhere.
pub struct Shown(Mutex<State>);

struct State {
    out: super::Progress,
    terminal: bool,
    told: Option<&'static str>,
    words: String,
}

impl Shown {
    pub fn new(out: super::Progress) -> Shown {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Shown(Mutex::new(State { out, terminal, told: None, words: String::new() }))
    }

    /// Takes the line away, so that results stand alone.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).out.clear();
    }
}

impl Progress for Shown {
    fn step(&self, step: Step) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (beginning, line) = match step {
            Step::Loading(done) => {
                ("Reading the model into memory.", format!("Reading the model into memory, {} %", percent(done)))
            }
            Step::Waiting => ("Waiting for what is being written.", "Waiting for what is being written".to_owned()),
            Step::Reading { done, all, items } => {
                let share = percent(done as f32 / all.max(1) as f32);
                ("Reading what was recorded.", format!("Reading {items} recorded items, {share} %"))
            }
            Step::Words { more, tokens_per_second } => {
                state.words.push_str(&more);
                let from = state.words.char_indices().rev().nth(TAIL - 1).map_or(0, |(at, _)| at);
                let tail = state.words.split_off(from);
                let line = format!("Writing, {tokens_per_second:.1} tokens per second: …{tail}");
                state.words = tail;
                ("Writing.", line)
            }
        };
        if state.terminal {
            state.out.passing(&line);
        } else if state.told != Some(beginning) {
            state.out.told(beginning);
        }
        state.told = Some(beginning);
    }
}

fn percent(done: f32) -> u32 {
    (done.clamp(0.0, 1.0) * 100.0) as u32
}

#[cfg(test)]
mod tests {
    use afterwatch_core::writing::Figures;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::output::Look;

    fn statement(text: &str, cites: &[&str], standing: Standing) -> Statement {
        Statement { text: text.into(), cites: cites.iter().map(|id| (*id).to_owned()).collect(), standing }
    }

    fn written(author: Author, statements: Vec<Statement>) -> String {
        let figures = Some(Figures { tokens_per_second: 11.52, ..Figures::default() });
        let writing = Writing { author, statements, actions: Vec::new(), figures, instead: None };
        let look =
            Look { colour: false, width: None, zone: TimeZone::UTC, now: "2026-11-12T03:15:00Z".parse().unwrap() };
        let mut page = Page::new(&look);
        answer(&mut page, &writing);
        page.into_text()
    }

    #[test]
    fn a_person_sees_what_a_sentence_stands_on_and_which_were_marked_or_struck() {
        let author = Author::Model { name: "some model".into(), server: None };
        let text = written(
            author,
            vec![
                statement("It was killed for memory.", &["E3", "C1"], Standing::Tied),
                statement("Users noticed.", &[], Standing::NotEstablished("Nothing cited says it.".into())),
                statement("The disk was \u{1b}[31mfull.", &[], Standing::Struck("It was ruled out.".into())),
            ],
        );
        assert_eq!(
            text,
            "It was killed for memory. [E3, C1]\n\
             Not established: Users noticed.  (Nothing cited says it)\n\n\
             Struck, because the record speaks against it\n  The disk was full.  (It was ruled out)\n\n\
             1 of 3 sentences are tied to evidence. Written by some model on this computer, 11.5 tokens per second.\n"
        );
    }

    #[test]
    fn an_answer_of_which_nothing_is_left_says_so() {
        let text = written(Author::Rules, vec![statement("The moon.", &[], Standing::Struck("No.".into()))]);
        assert!(text.starts_with("Not established from what was recorded.\n"), "{text}");
        assert!(text.ends_with("0 of 1 sentence is tied to evidence. Written by rules, without a model.\n"), "{text}");
    }
}
