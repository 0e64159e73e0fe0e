//! The QUIC handshake and the spin bit (RFC 9000; ACCURACY.md 15).
//!
//! Of a QUIC flow `syn_ack_time` is when the client's first Initial passed, and `edge_time` of a direction when its spin bit
//! last turned.

use latscope_events::{
    flow::{Flow, direction, state},
    metric::{QUIC_HANDSHAKE, QUIC_SPIN_RTT},
    refusal,
};

use crate::{Clock, Found, Sink, clock, waits};

/// What a packet is: values of `kind`.
pub const NONE: u8 = 0;
/// Initial.
pub const INITIAL: u8 = 1;
/// Handshake.
pub const HANDSHAKE: u8 = 2;
/// Retry or Version Negotiation: a round trip that ends nothing.
pub const AGAIN: u8 = 3;
/// A short header, spin bit 0 or 1.
pub const SHORT: u8 = 4;
/// A short header whose spin bit is 1.
pub const SHORT_SPUN: u8 = 5;

/// A packet of a QUIC flow.
#[inline(always)]
pub fn packet(flow: &mut Flow, side: u8, kind: u8, clock: &mut impl Clock, sink: &mut impl Sink) {
    if kind >= SHORT {
        spin(flow, side, kind == SHORT_SPUN, clock, sink);
    } else if flow.syn_ack_time != 0 && side != flow.opener {
        if kind == AGAIN {
            flow.syn_retries = flow.syn_retries.saturating_add(1);
        } else if kind != NONE {
            let start = flow.syn_ack_time;
            flow.syn_ack_time = 0;
            sink.waits(waits::HALF_ENDED);
            flow.state = state::OPEN;
            let found = Found {
                metric: QUIC_HANDSHAKE,
                side: flow.opener,
                retries: flow.syn_retries,
                ..Found::NOTHING
            };
            clock::report(found, start, clock.now(), sink);
        }
    }
}

/// The time from one turn of the bit to the next, in one direction, is a round trip (RFC 9000, 17.4). A turn counts only when
/// the other direction turned since the last: one that did not is a reordered packet, or a side that does not spin.
#[inline(always)]
fn spin(flow: &mut Flow, side: u8, spun: bool, clock: &mut impl Clock, sink: &mut impl Sink) {
    let here = usize::from(side & 1);
    let way = &mut flow.direction[here];
    let known = way.flags & direction::SPIN_KNOWN != 0;
    if known && (way.flags & direction::SPIN != 0) == spun {
        return;
    }
    way.flags = way.flags & !direction::SPIN | direction::SPIN_KNOWN;
    if spun {
        way.flags |= direction::SPIN;
    }
    if !known {
        return;
    }
    let start = way.edge_time;
    let answered = way.flags & direction::ANSWERED != 0;
    if answered {
        way.edge_time = clock.now();
        way.flags &= !direction::ANSWERED;
    }
    flow.direction[1 - here].flags |= direction::ANSWERED;
    if start == 0 {
        return;
    }
    if answered {
        let found = Found {
            metric: QUIC_SPIN_RTT,
            side,
            ..Found::NOTHING
        };
        clock::report(found, start, clock.now(), sink);
    } else {
        sink.refused(refusal::REORDERED);
    }
}
