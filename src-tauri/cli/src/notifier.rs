//! Desktop notifications without a window.

use afterwatch_core::port::{BoxFuture, Notice, NoticeError, Notifier};

/// For runs that only count notifications: the engine never calls it.
pub struct Nobody;

impl Notifier for Nobody {
    fn show(&self, _: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
        Box::pin(async { Err(NoticeError { message: "This run sends no notifications.".to_owned() }) })
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
pub use desktop::{Desktop, server};
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub use elsewhere::{Desktop, server};

/// `org.freedesktop.Notifications`, spoken directly: a later notification about an incident replaces the earlier one,
/// severity becomes urgency, and a missing daemon is an error. Without a running window there is nothing a button
/// could open, so there are none.
#[cfg(all(unix, not(target_os = "macos")))]
mod desktop {
    use std::{collections::HashMap, time::Duration};

    use afterwatch_core::{
        incident::IncidentId,
        port::{BoxFuture, Notice, NoticeError, Notifier},
        severity::Severity,
    };
    use tokio::sync::{Mutex, OnceCell};
    use zbus::{Connection, zvariant::Value};

    use crate::output::inert;

    const NAME: &str = "org.freedesktop.Notifications";
    const PATH: &str = "/org/freedesktop/Notifications";
    /// A daemon that does not answer must not hold anything up.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Notifications on the session bus.
    #[derive(Default)]
    pub struct Desktop {
        bus: OnceCell<(Connection, bool)>,
        /// What is on screen, by incident.
        shown: Mutex<HashMap<Option<IncidentId>, u32>>,
    }

    impl Desktop {
        /// The bus, and whether the daemon reads markup in bodies.
        async fn bus(&self) -> zbus::Result<&(Connection, bool)> {
            self.bus
                .get_or_try_init(|| async {
                    let connection = Connection::session().await?;
                    let reply = connection.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &()).await?;
                    let capabilities: Vec<String> = reply.body().deserialize()?;
                    Ok((connection, capabilities.iter().any(|c| c == "body-markup")))
                })
                .await
        }

        async fn send(&self, notice: Notice) -> zbus::Result<()> {
            let (connection, markup) = self.bus().await?;
            let body = inert::line(&notice.body);
            let body = if *markup { escape(&body) } else { body.into_owned() };
            let urgency: u8 = match notice.severity {
                Severity::Critical => 2,
                Severity::High | Severity::Medium => 1,
                Severity::Low => 0,
            };
            let hints: HashMap<&str, Value<'_>> = HashMap::from([
                ("urgency", Value::U8(urgency)),
                ("desktop-entry", Value::from("afterwatch")),
                ("category", Value::from("x-afterwatch.incident")),
            ]);
            // Held while sending: two notices about one incident go out in their order.
            let mut shown = self.shown.lock().await;
            let replaces = shown.get(&notice.incident).copied().filter(|_| notice.incident.is_some()).unwrap_or(0);
            let actions: &[&str] = &[];
            let message = (
                "Afterwatch",
                replaces,
                "afterwatch",
                inert::line(&notice.title).into_owned(),
                body,
                actions,
                hints,
                -1i32,
            );
            let reply = connection.call_method(Some(NAME), PATH, Some(NAME), "Notify", &message).await?;
            shown.insert(notice.incident, reply.body().deserialize()?);
            Ok(())
        }
    }

    impl Notifier for Desktop {
        fn show(&self, notice: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
            Box::pin(async move { within(self.send(notice)).await.map_err(|message| NoticeError { message }) })
        }
    }

    /// The name of the daemon that shows notifications here.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn server() -> Result<String, String> {
        within(async {
            let connection = Connection::session().await?;
            let reply = connection.call_method(Some(NAME), PATH, Some(NAME), "GetServerInformation", &()).await?;
            let (name, _vendor, version, _spec): (String, String, String, String) = reply.body().deserialize()?;
            Ok(format!("{name} {version}"))
        })
        .await
    }

    async fn within<T>(call: impl Future<Output = zbus::Result<T>>) -> Result<T, String> {
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(zbus::Error::MethodError(name, _, _))) if name.as_str().ends_with(".ServiceUnknown") => {
                Err("No notification service runs in this session.".to_owned())
            }
            Ok(Err(error)) => Err(format!("The session bus does not answer: {error}.")),
            Err(_) => Err(format!("The notification service did not answer within {} s.", PATIENCE.as_secs())),
        }
    }

    fn escape(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn bodies_cannot_carry_markup_of_their_own() {
            assert_eq!(escape("a <img src=x> & b"), "a &lt;img src=x&gt; &amp; b");
        }
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
mod elsewhere {
    use afterwatch_core::port::{BoxFuture, Notice, NoticeError, Notifier};

    const WORDS: &str = "On this system only the app shows notifications: leave it running.";

    /// Nothing without the app's bundle may notify here.
    #[derive(Default)]
    pub struct Desktop {}

    impl Notifier for Desktop {
        fn show(&self, _: Notice) -> BoxFuture<'_, Result<(), NoticeError>> {
            Box::pin(async { Err(NoticeError { message: WORDS.to_owned() }) })
        }
    }

    /// # Errors
    /// Always.
    pub async fn server() -> Result<String, String> {
        Err(WORDS.to_owned())
    }
}
