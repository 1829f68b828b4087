//! Time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Tells the time, and how long to wait for it. The engine's clock is the system's; that of a drill may run faster, and
/// tests have one they can move. Whatever is derived from the clock's time is waited for through [`Clock::until`].
pub trait Clock: Send + Sync {
    /// The present moment by the wall clock.
    fn now(&self) -> Timestamp;

    /// How long to wait until this clock shows that moment; nothing when it has passed.
    fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or(Duration::ZERO)
    }

    /// What this clock will show after so long a wait.
    fn after(&self, wait: Duration) -> Timestamp {
        let now = self.now();
        SignedDuration::try_from(wait).ok().and_then(|span| now.checked_add(span).ok()).unwrap_or(now)
    }

    /// How long to wait for so much of this clock's time.
    fn real(&self, span: Duration) -> Duration {
        let now = self.now();
        let at = SignedDuration::try_from(span).ok().and_then(|span| now.checked_add(span).ok());
        at.map_or(span, |at| self.until(at))
    }
}
