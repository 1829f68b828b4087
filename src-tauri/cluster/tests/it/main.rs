//! The adapter against scripted servers, plugins and files; no test contacts a cluster.

mod credentials;
mod custom;
mod custom_gaps;
mod faults;
mod files;
mod identity;
mod logs;
mod rights;
mod secret;
mod support;
mod tls;
