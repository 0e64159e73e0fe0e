//! Loads the eBPF programs and reads, logs and encodes what they measure.

mod encode;
pub mod engine;
pub mod failure;
pub mod log;
pub mod metric;
pub mod proto;
pub mod sample;
pub mod spec;
pub mod text;

#[cfg(test)]
mod testing;
