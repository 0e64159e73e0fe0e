//! Loads the eBPF programs and reads, logs and encodes what they measure.

mod books;
mod bpf;
pub mod capture;
pub mod clock;
pub mod collector;
mod encode;
pub mod engine;
pub mod failure;
pub mod histogram;
pub mod log;
pub mod metric;
pub mod packet;
pub mod privilege;
pub mod proto;
pub mod reader;
mod ring;
pub mod sample;
pub mod session;
pub mod spec;
pub mod text;
mod wire;

#[cfg(test)]
mod testing;
