//! The drill: a recording is played as a Kubernetes API server on loopback and watched by the engine through the real
//! client, as in the product; and what is recorded from there plays again with the same result.

mod played;
mod recorded;
mod server;
mod stage;
mod stories;
