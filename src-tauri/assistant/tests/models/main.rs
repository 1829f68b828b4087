//! Models over a real network (of this computer) and a real folder: what is taken in, downloaded, asked of a server.

mod download;
mod folder;
mod page;
mod server;
mod stub;
