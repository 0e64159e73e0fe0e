//! Captures written by the tests themselves.

mod file;
mod link;
mod replay;
mod writer;
