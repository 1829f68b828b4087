//! The assistant over whole incidents: what the rules write, what is packed, and what is caught.

mod asking;
mod claims;
mod fake;
mod hostile;
mod hostile_texts;
mod papers;
mod played;
mod worlds;
mod writing;
