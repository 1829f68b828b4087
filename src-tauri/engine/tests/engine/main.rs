//! The engine over a scripted cluster, a real database and a clock that is moved by hand.

mod assistant;
mod coverage;
mod desk;
mod flaky;
mod inspect;
mod notices;
mod others;
mod postmortem;
mod recording;
mod setting;
mod trouble;
