//! The store on a real disk. A file per theme.

mod bad_file;
mod concurrency;
mod document;
mod exchange;
mod full_disk;
mod incident;
mod killed;
mod opening;
mod past;
mod record;
mod sample;
mod search;
