//! Captures written by the tests themselves.

mod file;
mod fuzz;
mod link;
mod replay;
mod writer;
