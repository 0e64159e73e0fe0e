//! A TCP peer heard from one side only, until the other answers (ACCURACY.md 1 to 4, 6, 22).

use latscope_events::pending::{Pending, flags};

use crate::{
    Clock, Segment, handshake,
    segment::{ACK, RST, SYN, distance},
};

/// Flags of a peer of which something waits for its end: a SYN for its answer, a SYN-ACK for its acknowledgement.
pub const WAITS: u8 = flags::SYN | flags::SYN_ACK;

/// The first segment of a tuple. `first` has neither numbers nor a time yet.
#[inline(always)]
pub fn heard(first: &mut Pending, side: u8, segment: &Segment, clock: &mut impl Clock) {
    first.end = segment.end();
    first.isn = segment.seq;
    first.tsval = segment.tsval;
    first.side = side;
    if segment.timestamps != 0 {
        first.flags |= flags::TIMESTAMPS;
    }
    if segment.flags & (SYN | ACK) == SYN {
        handshake::syn(first, side, segment, clock);
    } else if segment.flags & SYN != 0 {
        syn_ack(first, segment, clock);
    } else if !segment.is_empty() {
        first.flags |= flags::DATA;
    }
}

/// A further segment from the same side. Returns whether something began to wait that did not before: what waited until then
/// will never end.
#[inline(always)]
pub fn heard_again(
    first: &mut Pending,
    side: u8,
    segment: &Segment,
    clock: &mut impl Clock,
) -> bool {
    let same = first.isn == segment.seq;
    if segment.flags & (SYN | ACK | RST) == SYN {
        let begins = first.flags & flags::SYN == 0 || !same;
        handshake::syn(first, side, segment, clock);
        return begins;
    }
    if segment.flags & RST != 0 {
        // Whatever it was has ended; the next segment starts anew.
        first.flags &= !WAITS;
        return false;
    }
    if segment.flags & SYN != 0 {
        if first.flags & flags::SYN_ACK == 0 || !same {
            syn_ack(first, segment, clock);
            return true;
        }
        if segment.timestamps == 0 || segment.tsval == first.tsval {
            first.time = 0;
        }
        return false;
    }
    // The answer passed elsewhere: from here on a flow joined midway.
    let end = segment.end();
    if first.flags & WAITS != 0 || distance(end, first.end) > 0 {
        first.end = end;
    }
    first.flags &= !WAITS;
    if !segment.is_empty() {
        first.flags |= flags::DATA;
    }
    if segment.timestamps != 0 {
        first.tsval = segment.tsval;
        first.flags |= flags::TIMESTAMPS;
    }
    false
}

/// A SYN-ACK whose SYN did not pass here. Without timestamps nothing tells it from a later copy of one that did not either.
#[inline(always)]
fn syn_ack(first: &mut Pending, segment: &Segment, clock: &mut impl Clock) {
    first.isn = segment.seq;
    first.end = segment.end();
    first.tsval = segment.tsval;
    first.flags = flags::SYN_ACK | first.flags & flags::LOCAL;
    first.time = 0;
    if segment.timestamps != 0 {
        first.flags |= flags::TIMESTAMPS;
        first.time = clock.now();
    }
}
