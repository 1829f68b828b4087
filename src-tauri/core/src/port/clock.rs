//! Time.

use jiff::Timestamp;

/// Tells the time. The engine's clock is the system's; tests have one they can move.
pub trait Clock: Send + Sync {
    /// The present moment by the wall clock.
    fn now(&self) -> Timestamp;
}
