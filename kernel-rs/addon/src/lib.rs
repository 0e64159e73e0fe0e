//! The collector as a Node addon.
//!
//! Names, order and lifetime are those of `latscope_collector`. Structures and 64-bit values cross as protobuf bytes
//! (`latscope.v1`). A failure crosses as an Error whose message is the JSON of `latscope_collector::failure::Failure`.
//! Whatever may wait for the kernel runs off Node's thread.

mod collector;
mod failure;
mod reader;
mod runtime;
mod session;
