//! The collector as a Node addon.
//!
//! Names, order and lifetime are those of `latscope_collector`. Structures and 64-bit values cross as protobuf bytes
//! (`latscope.v1`). A failure crosses as an Error whose `code` is the reason and whose message is the JSON of
//! `latscope_collector::failure::Failure`.
//! Whatever may wait for the kernel runs off Node's thread.
#![allow(
    clippy::needless_pass_by_value,
    reason = "napi hands over what JavaScript passes by value"
)]

mod capture;
mod collector;
mod failure;
mod histogram;
pub mod journal;
pub mod memory;
pub mod notify;
pub mod peer;
pub mod privilege;
mod reader;
mod runtime;
mod scope;
mod session;
