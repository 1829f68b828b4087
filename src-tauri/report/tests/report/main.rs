//! Incidents in, post-mortems out.

mod hostile;
mod page;
mod sample;
mod worded;
