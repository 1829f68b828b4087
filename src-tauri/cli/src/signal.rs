//! Being told to stop.

use std::io;

/// Ends when this process is interrupted, terminated, or loses its terminal. Listening begins when this is called.
///
/// # Errors
/// When the system gives no signals.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        let stop = tokio::signal::ctrl_c();
        Ok(async move {
            let _ = stop.await;
        })
    }
}
