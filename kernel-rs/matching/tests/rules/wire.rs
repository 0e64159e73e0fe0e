//! A flow between two sides, segment by segment: side 0 opens it.

use latscope_events::{
    flow::{Flow, track},
    pending::{Pending, flags},
};
use latscope_matching::{
    Found, Segment, Sink, flow, handshake,
    segment::{ACK, SYN},
};

/// Everything that was reported, and refusals by reason.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    pub(crate) found: Vec<Found>,
    pub(crate) refused_rtt: Vec<(u32, u32)>,
    pub(crate) refused: Vec<u32>,
    /// What began less what ended, of what waits for its end.
    pub(crate) waiting: i64,
}

impl Sink for Seen {
    fn found(&mut self, found: Found) {
        self.found.push(found);
    }
    fn refused_rtt(&mut self, reason: u32, count: u32) {
        self.refused_rtt.push((reason, count));
    }
    fn refused(&mut self, reason: u32) {
        self.refused.push(reason);
    }
    fn waits(&mut self, change: u32) {
        let field = |shift: u32, bits: u32| i64::from(change >> shift & ((1 << bits) - 1));
        self.waiting += field(0, 8) - field(8, 8);
        self.waiting += field(16, 4) - field(20, 4) + field(24, 4) - field(28, 4);
    }
}

/// What waits for its end in a flow.
pub(crate) fn waiting(flow: &Flow) -> i64 {
    let ways = flow.direction.iter();
    let in_flight = ways.flat_map(|it| it.slots.iter().chain([&it.edge_time]));
    let all = in_flight.chain([&flow.syn_ack_time, &flow.request_time]);
    all.filter(|it| **it != 0).count() as i64
}

/// A flow without anything, of which everything is wanted.
pub(crate) fn blank() -> Flow {
    // SAFETY: a flow is plain integers.
    let mut flow: Flow = unsafe { std::mem::zeroed() };
    flow.track = track::HANDSHAKE | track::RTT | track::FIRST_BYTE;
    flow.mask = 1;
    flow
}

pub(crate) fn unheard() -> Pending {
    // SAFETY: plain integers.
    unsafe { std::mem::zeroed() }
}

/// A flow whose handshake has passed.
pub(crate) struct Wire {
    pub(crate) flow: Flow,
    pub(crate) seen: Seen,
    pub(crate) timestamps: bool,
}

/// Initial sequence number of the opener and of the other side.
#[derive(Clone, Copy)]
pub(crate) struct Isn(pub(crate) u32, pub(crate) u32);

impl Wire {
    /// The opener's first byte has the number `isn.0 + 1`, the other's `isn.1 + 1`. SYN at 1000, SYN-ACK at 1010, ACK at
    /// 1011. What that gave is forgotten.
    pub(crate) fn open(isn: Isn, timestamps: bool) -> Self {
        let mut wire = Self {
            flow: blank(),
            seen: Seen::default(),
            timestamps,
        };
        let mut first = unheard();
        let syn = wire.stamped(segment(isn.0, 0, SYN, 0), (1, 0));
        handshake::syn(&mut first, 0, &syn, &mut 1000);
        if timestamps {
            first.flags |= flags::TIMESTAMPS;
        }
        let syn_ack = wire.stamped(segment(isn.1, isn.0.wrapping_add(1), SYN | ACK, 0), (1, 1));
        flow::adopt(&mut wire.flow, &first, &syn_ack);
        flow::answer(
            &mut wire.flow,
            &first,
            1,
            &syn_ack,
            &mut 1010,
            &mut wire.seen,
        );
        let ack = segment(isn.0.wrapping_add(1), isn.1.wrapping_add(1), ACK, 0);
        wire.see(1011, 0, ack, (1, 1));
        wire.seen = Seen {
            waiting: wire.seen.waiting,
            ..Seen::default()
        };
        wire
    }

    pub(crate) fn see(&mut self, at: u64, side: u8, segment: Segment, timestamps: (u32, u32)) {
        let segment = self.stamped(segment, timestamps);
        let mut clock = at;
        flow::segment_of(&mut self.flow, side, &segment, &mut clock, &mut self.seen);
        assert_eq!(
            self.seen.waiting,
            waiting(&self.flow),
            "books of what waits"
        );
    }

    fn stamped(&self, mut segment: Segment, (tsval, tsecr): (u32, u32)) -> Segment {
        if self.timestamps {
            segment.timestamps = 1;
            segment.tsval = tsval;
            segment.tsecr = tsecr;
        }
        segment
    }

    /// Latency, quality and side of the round trips since the last call.
    pub(crate) fn rtts(&mut self) -> Vec<(u64, u16, u8)> {
        std::mem::take(&mut self.seen.found)
            .into_iter()
            .filter(|it| it.metric == latscope_events::metric::TCP_RTT)
            .map(|it| (it.latency, it.quality, it.side))
            .collect()
    }
}

pub(crate) fn segment(seq: u32, ack: u32, flags: u8, payload: u32) -> Segment {
    Segment {
        seq,
        ack,
        payload,
        flags,
        ..Segment::default()
    }
}
