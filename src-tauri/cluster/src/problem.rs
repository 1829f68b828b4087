//! Why a cluster cannot be used, in words a person can act on.

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    observation::Connection,
};

/// What kind of trouble it is; it decides whether trying again by itself makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// May pass by itself: the network, the server, a proxy. Tried again with growing pauses.
    Unreachable,
    /// A person has to log in or renew something. A plugin that wants that is not run again in the background.
    LoginNeeded,
    /// The kubeconfig has to be changed, or the network stands in between and shows its own certificate.
    Misconfigured,
}

/// What happened, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectProblem {
    pub trouble: Trouble,
    /// What happened and why. Redacted.
    pub message: String,
    /// What to do next; may be empty. Redacted.
    pub hint: String,
}

impl ConnectProblem {
    pub(crate) fn unreachable(message: impl Into<String>, hint: impl Into<String>) -> ConnectProblem {
        ConnectProblem::new(Trouble::Unreachable, message, hint)
    }

    pub(crate) fn login(message: impl Into<String>, hint: impl Into<String>) -> ConnectProblem {
        ConnectProblem::new(Trouble::LoginNeeded, message, hint)
    }

    pub(crate) fn misconfigured(message: impl Into<String>, hint: impl Into<String>) -> ConnectProblem {
        ConnectProblem::new(Trouble::Misconfigured, message, hint)
    }

    fn new(trouble: Trouble, message: impl Into<String>, hint: impl Into<String>) -> ConnectProblem {
        // Plugins, proxies and servers write into these messages: whatever they quote is redacted here, once.
        let redacted = |words: String| afterwatch_core::redact::text(&words).into_owned();
        ConnectProblem { trouble, message: redacted(message.into()), hint: redacted(hint.into()) }
    }

    /// The state of the connection this problem means.
    pub fn connection(&self) -> Connection {
        let (message, hint) = (self.message.clone(), self.hint.clone());
        match self.trouble {
            Trouble::Unreachable => Connection::Unreachable { message, hint },
            Trouble::LoginNeeded => Connection::LoginNeeded { message, hint },
            Trouble::Misconfigured => Connection::Misconfigured { message, hint },
        }
    }

    pub(crate) fn ended_by(&self) -> EndedBy {
        match self.trouble {
            Trouble::LoginNeeded => EndedBy::LoginNeeded,
            Trouble::Unreachable | Trouble::Misconfigured => EndedBy::Disconnect,
        }
    }

    pub(crate) fn reason(&self) -> UnreadableReason {
        match self.trouble {
            Trouble::Unreachable => UnreadableReason::Unreachable,
            Trouble::LoginNeeded => UnreadableReason::LoginNeeded,
            Trouble::Misconfigured => UnreadableReason::Misconfigured,
        }
    }
}
