//! What a latency is: the state machines that match a start with its end.
//!
//! They run inside the eBPF programs and, unchanged, in unit tests without a kernel. ACCURACY rules are named where they
//! are kept. All sequence arithmetic wraps (RFC 9293, 3.4).
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics, asm_experimental_arch))]
#![cfg_attr(target_arch = "bpf", allow(internal_features))]

pub mod acknowledgement;
pub mod cell;
pub mod clock;
pub mod data;
pub mod exchange;
pub mod first_byte;
pub mod flow;
pub mod handshake;
pub mod peer;
pub mod quic;
pub mod segment;
pub mod sink;

pub use clock::Clock;
pub use segment::Segment;
pub use sink::{Found, Sink, waits};
