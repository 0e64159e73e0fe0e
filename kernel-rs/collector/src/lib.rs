//! Loads the eBPF programs and reads, logs and encodes what they measure.

mod books;
mod bpf;
mod btf;
pub mod capture;
mod cgroup;
mod class;
pub mod clock;
pub mod collector;
mod container;
mod encode;
pub mod engine;
pub mod failure;
pub mod footprint;
pub mod histogram;
pub mod log;
pub mod metric;
pub mod packet;
mod per_cpu;
pub mod privilege;
mod program;
pub mod proto;
pub mod reader;
mod ring;
pub mod sample;
pub mod scope;
pub mod session;
pub mod socket;
pub mod span;
pub mod spec;
mod statistics;
pub mod text;
mod verifier;
mod wire;

#[cfg(test)]
mod testing;
