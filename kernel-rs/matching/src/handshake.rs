//! Both halves of a TCP handshake (ACCURACY.md 1 to 4).

use latscope_events::{
    flow::{Flow, state},
    metric::{TCP_CONNECT_FAILURE, TCP_HANDSHAKE_LOCAL, TCP_HANDSHAKE_REMOTE, quality},
    pending::{Pending, flags},
    refusal,
};

use crate::{
    Clock, Found, Segment, Sink, clock, data,
    segment::{ACK, RST, SYN},
    waits,
};

/// `ECONNREFUSED` of Linux.
pub const ECONNREFUSED: i16 = 111;

/// Takes note of a SYN on a tuple that nobody has answered yet; a first SYN, or one of another connection, starts anew.
#[inline(always)]
pub fn syn(pending: &mut Pending, side: u8, segment: &Segment, clock: &mut impl Clock) {
    if pending.flags & flags::SYN != 0 && pending.side == side && pending.isn == segment.seq {
        pending.retries = pending.retries.saturating_add(1);
        return;
    }
    pending.time = clock.now();
    pending.isn = segment.seq;
    pending.end = segment.end();
    pending.tsval = segment.tsval;
    pending.side = side;
    pending.retries = 0;
    pending.flags = flags::SYN | pending.flags & flags::LOCAL;
    if segment.timestamps != 0 {
        pending.flags |= flags::TIMESTAMPS;
    }
}

/// Whether the segment acknowledges the SYN: its number plus one, or (TCP Fast Open) the data it carried as well.
#[inline(always)]
#[must_use]
pub fn acknowledges(pending: &Pending, segment: &Segment) -> bool {
    segment.flags & ACK != 0
        && (segment.ack == pending.isn.wrapping_add(1) || segment.ack == pending.end)
}

/// Whether the segment is the SYN-ACK to the SYN.
#[inline(always)]
#[must_use]
pub fn is_syn_ack(pending: &Pending, segment: &Segment) -> bool {
    pending.flags & flags::SYN != 0
        && segment.flags & (SYN | RST) == SYN
        && acknowledges(pending, segment)
}

/// Whether the segment refuses the SYN.
#[inline(always)]
#[must_use]
pub fn is_refusal(pending: &Pending, segment: &Segment) -> bool {
    pending.flags & flags::SYN != 0 && segment.flags & RST != 0 && acknowledges(pending, segment)
}

/// Whether an ICMP error quotes the SYN.
#[inline(always)]
#[must_use]
pub fn is_quoted(pending: &Pending, segment: &Segment) -> bool {
    pending.flags & flags::SYN != 0 && segment.seq == pending.isn
}

/// SYN to SYN-ACK (`errno` 0), or to what failed it. From the first SYN; where later ones were sent and no timestamp tells that the first was
/// answered, the retry wait is part of it and flagged.
#[inline(always)]
pub fn answered(
    pending: &Pending,
    segment: &Segment,
    errno: i16,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    let first_echoed = pending.flags & flags::TIMESTAMPS != 0
        && segment.timestamps != 0
        && segment.tsecr == pending.tsval;
    let retried = pending.retries > 0 && !first_echoed;
    let found = Found {
        metric: if errno == 0 {
            TCP_HANDSHAKE_REMOTE
        } else {
            TCP_CONNECT_FAILURE
        },
        side: pending.side,
        retries: if retried { pending.retries } else { 0 },
        result: errno,
        quality: if retried {
            quality::SYN_RETRANSMITTED
        } else {
            0
        },
        ..Found::NOTHING
    };
    clock::report(found, pending.time, clock.now(), sink);
}

/// A SYN-ACK on a flow that has had one: it adds nothing, and without timestamps the coming ACK may answer either. One with
/// another number, before the first was acknowledged, is that of a peer that began anew, and takes the first one's place.
#[inline(always)]
pub fn syn_ack_again(
    flow: &mut Flow,
    side: u8,
    segment: &Segment,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    if flow.state != state::SYN_ACK || side == flow.opener {
        return;
    }
    let end = segment.seq.wrapping_add(1);
    if end != flow.syn_ack_end {
        if segment.ack == flow.syn_end {
            data::start_at(&mut flow.direction[usize::from(side & 1)], end);
            flow.syn_ack_end = end;
            flow.syn_ack_tsval = segment.tsval;
            flow.syn_ack_changes = flow.syn_ack_changes.saturating_add(1);
            if flow.syn_ack_changes == 1 {
                if flow.syn_ack_time == 0 {
                    sink.waits(waits::HALF_BEGUN);
                }
                flow.syn_ack_time = clock.now();
            } else if flow.syn_ack_time != 0 {
                // Back to a number that was left may be a copy of an earlier one.
                flow.syn_ack_time = 0;
                sink.waits(waits::HALF_ENDED);
                sink.refused(refusal::RETRANSMITTED);
            }
        }
        return;
    }
    if flow.syn_ack_time != 0 && (segment.timestamps == 0 || segment.tsval == flow.syn_ack_tsval) {
        flow.syn_ack_time = 0;
        sink.waits(waits::HALF_ENDED);
        sink.refused(refusal::RETRANSMITTED);
    }
}

/// SYN-ACK to ACK.
#[inline(always)]
pub fn acknowledged(
    flow: &mut Flow,
    side: u8,
    segment: &Segment,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) {
    if flow.state != state::SYN_ACK
        || side != flow.opener
        || segment.flags & ACK == 0
        || segment.ack != flow.syn_ack_end
    {
        return;
    }
    flow.state = state::OPEN;
    let start = flow.syn_ack_time;
    flow.syn_ack_time = 0;
    if start == 0 {
        return;
    }
    sink.waits(waits::HALF_ENDED);
    if segment.timestamps != 0 && segment.tsecr != flow.syn_ack_tsval {
        // It answers a later SYN-ACK.
        sink.refused(refusal::RETRANSMITTED);
        return;
    }
    let found = Found {
        metric: TCP_HANDSHAKE_LOCAL,
        side: 1 - side,
        retries: 0,
        result: 0,
        quality: 0,
        ..Found::NOTHING
    };
    clock::report(found, start, clock.now(), sink);
}
