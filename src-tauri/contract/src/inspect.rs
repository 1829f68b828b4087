//! A person asks about one workload.

use afterwatch_core::incident::Incident;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::document::{IncidentDto, ObjectRefDto};

/// What can be asked about whose kind, namespace and name hold what was typed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChoicesDto {
    pub choices: Vec<ChoiceDto>,
    /// There are others: more has to be typed.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ChoiceDto {
    pub cluster: String,
    pub object: ObjectRefDto,
    /// `3 of 3 ready`, or empty.
    pub state: String,
}

/// What looking into a workload brought.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct InspectionDto {
    pub subject: ObjectRefDto,
    /// The incidents it is part of, by id: its own first, then what lies upstream.
    pub incidents: Vec<String>,
    /// Where there is none: what was looked at (`ruled_out`), and what would tell (`needs`). It is not in the history.
    pub nothing: Option<IncidentDto>,
    /// The logs that could not be read, in words.
    pub unread: Vec<String>,
}

impl From<(&str, &afterwatch_core::inspect::Choice)> for ChoiceDto {
    fn from((cluster, choice): (&str, &afterwatch_core::inspect::Choice)) -> ChoiceDto {
        ChoiceDto { cluster: cluster.to_owned(), object: (&choice.object).into(), state: choice.state.clone() }
    }
}

impl InspectionDto {
    /// What was found. Where nothing was, nothing happened in a gap either.
    pub fn new(
        subject: &afterwatch_core::object::ObjectRef,
        incidents: &[Incident],
        nothing: Option<&Incident>,
        unread: Vec<String>,
    ) -> InspectionDto {
        InspectionDto {
            subject: subject.into(),
            incidents: incidents.iter().map(|i| i.id.to_string()).collect(),
            nothing: nothing.map(|i| IncidentDto::new(i, &[])),
            unread,
        }
    }
}
