//! The drill: what a cluster showed once, played again as a Kubernetes API server on loopback, so that the whole
//! product runs without a cluster, the client included.
//!
//! [`Recorder`] writes a recording while a real cluster is watched, [`Player`] plays one. Whoever watches the player
//! goes by its clock ([`DrillClock`]), which runs faster than the real one until the story is over. The format is core's
//! ([`afterwatch_core::recording`]). This crate must not know what is wrong with what it plays, how it is watched, or
//! who looks at it: whoever wants to see a drill watches its server like any other.

mod answer;
mod clock;
mod discovery;
mod file;
mod player;
mod record;
mod select;
mod server;
mod story;
mod world;

pub use clock::DrillClock;
pub use file::read_file;
pub use player::{Pace, Player};
pub use record::{Recorded, Recorder};
pub use story::{Story, stories};
