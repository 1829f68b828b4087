//! Whether notifications can be shown, for diagnostics.

use afterwatch_core::check::{Check, Level};

/// Asks the desktop's notification service who it is.
#[cfg(target_os = "linux")]
pub async fn check() -> Check {
    const NAME: &str = "org.freedesktop.Notifications";
    let ask = async {
        let bus = zbus::Connection::session().await?;
        let path = "/org/freedesktop/Notifications";
        let reply = bus.call_method(Some(NAME), path, Some(NAME), "GetServerInformation", &()).await?;
        let (name, _, version, _): (String, String, String, String) = reply.body().deserialize()?;
        Ok::<_, zbus::Error>(format!("{name} {version} shows them"))
    };
    let hint = "Start a notification service; most desktops have one.";
    match tokio::time::timeout(std::time::Duration::from_secs(5), ask).await {
        Ok(Ok(words)) => Check::ok("notifications", words),
        Ok(Err(problem)) => Check::new("notifications", Level::Warn, problem.to_string(), hint),
        Err(_) => Check::new("notifications", Level::Warn, "the service does not answer", hint),
    }
}

/// The system shows them itself.
#[cfg(not(target_os = "linux"))]
pub async fn check() -> Check {
    Check::new("notifications", Level::Ok, "the system shows them", "If none arrive, allow them in its settings.")
}
