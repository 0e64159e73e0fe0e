//! TCP flows as a passive monitor sees them, simulated, with the truth about every round trip.
//!
//! A [`Scenario`] says what hosts and links do; [`run`] plays it and returns a [`Capture`]: every packet that passed the
//! monitor, in order, each with what only the hosts know: which copy of which segment it answers. [`frame`] makes bytes of
//! a packet. A [`Judge`](judge::Judge) tells whether a reported latency is true, [`recall`] which could have been found, and
//! [`Monitor`](monitor::Monitor) runs the state machines of `latscope_matching` over a capture without a kernel.
//!
//! The same scenario and seed give the same capture, on every machine.

mod connection;
pub mod frame;
mod host;
pub mod judge;
pub mod monitor;
mod packet;
pub mod recall;
mod receiving;
mod scenario;
mod sending;
mod simulation;

pub use packet::{Capture, Packet};
pub use scenario::{Leg, Scenario, Write};
pub use simulation::run;
