//! Writes incidents off the watch path.
