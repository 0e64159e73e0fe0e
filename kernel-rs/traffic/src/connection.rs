//! A connection: two hosts and the path between them.

use crate::{
    host::Host,
    scenario::{Leg, Scenario},
};

/// A packet between two hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) side: u8,
    pub(crate) flags: u8,
    pub(crate) start: u64,
    pub(crate) payload: u32,
    pub(crate) ack: u64,
    pub(crate) timestamps: Option<(u32, u32)>,
    pub(crate) cause: Option<u32>,
    pub(crate) first_answer: bool,
    pub(crate) trigger: Option<u32>,
    pub(crate) first_echo: bool,
    pub(crate) echoed: Option<u32>,
    /// Index in the capture, once it passed the monitor.
    pub(crate) id: Option<u32>,
}

impl Flight {
    pub(crate) const fn end(&self) -> u64 {
        self.start + crate::packet::taken(self.flags, self.payload)
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) hosts: [Host; 2],
    /// One-way delay of each leg, ns.
    pub(crate) delay: [u64; 2],
}

impl Connection {
    pub(crate) fn new(scenario: &Scenario, rng: &mut fastrand::Rng) -> Self {
        let host = |side: usize, rng: &mut fastrand::Rng| Host {
            isn: scenario.isn[side].unwrap_or_else(|| rng.u32(..)),
            clock: rng.u64(..1 << 40),
            queued: 1,
            ..Host::default()
        };
        let delay = |leg: &Leg, rng: &mut fastrand::Rng| rng.u64(leg.delay_ns.clone());
        Self {
            hosts: [host(0, rng), host(1, rng)],
            delay: [delay(&scenario.legs[0], rng), delay(&scenario.legs[1], rng)],
        }
    }
}

/// Whether a packet of `side` is lost on a leg; else how long it takes.
pub(crate) fn cross(leg: &Leg, delay: u64, side: u8, rng: &mut fastrand::Rng) -> Option<u64> {
    let side = usize::from(side);
    if rng.f64() < leg.loss[side] {
        return None;
    }
    let held = rng.f64() < leg.reorder[side];
    Some(delay + if held { rng.u64(0..=leg.hold_ns) } else { 0 })
}
