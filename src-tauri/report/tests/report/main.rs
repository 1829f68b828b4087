//! Incidents in, post-mortems out.

mod cite;
mod files;
mod hostile;
mod page;
mod pdf;
mod sample;
mod shape;
