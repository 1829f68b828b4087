//! The assistant over whole incidents: what the rules write, what is packed, and what is caught.

mod claims;
mod papers;
mod played;
mod worlds;
