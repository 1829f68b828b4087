//! The real worker, driven with a tiny model of random weights (`models/fixture/`): what it says over its lines, and
//! what the assistant makes of it.

mod client;
mod figures;
mod hostile;
mod limits;
mod load;
#[cfg(unix)]
mod pretend;
mod stop;
mod talk;
mod write;
