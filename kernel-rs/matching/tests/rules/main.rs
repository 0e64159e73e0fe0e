//! The state machines, rule by rule, without a kernel.

mod exchange;
mod handshake;
mod peer;
mod round_trip;
mod slot;
mod wire;
