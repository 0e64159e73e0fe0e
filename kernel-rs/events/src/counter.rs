//! Bit-sliced counters: plane n holds bit n of 64 counters, one for each session. Adding one to every session of a mask
//! is a ripple of a few words, whatever the number of sessions.

use crate::{config::CAP_PLANES, layout};

/// Planes of a loss counter: 2^40 losses.
pub const PLANES: usize = 40;

/// Rate caps and losses of one CPU.
///
/// A copy in ascending order is whole when `after` equals `before`: the writer raises `before`, writes, then sets `after`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Changes ended.
    pub after: u64,
    /// Start of the current second, ns.
    pub window: u64,
    /// Sessions whose cap is reached in this second.
    pub capped: u64,
    /// Generation that the caps belong to.
    pub generation: u64,
    /// Samples of this second, counted up from the start values of [`crate::config::Config::cap`].
    pub cap: [u64; CAP_PLANES],
    /// Samples dropped at the cap.
    pub rate_limited: [u64; PLANES],
    /// Samples for which the ring had no room.
    pub ring_full: [u64; PLANES],
    /// Samples of flows for which no class could be had.
    pub map_full: [u64; PLANES],
    /// Latencies that are in a histogram and by request no sample.
    pub withheld: [u64; PLANES],
    /// Those that no histogram had room for.
    pub no_room: [u64; PLANES],
    /// Changes begun.
    pub before: u64,
}
layout!(Counters, 8 * (5 + CAP_PLANES + 5 * PLANES));

/// Adds one to the counters of `mask`; returns those that overflowed.
#[inline(always)]
pub fn add(planes: &mut [u64], mask: u64) -> u64 {
    let mut carry = mask;
    for plane in planes {
        let next = *plane & carry;
        *plane ^= carry;
        carry = next;
        if carry == 0 {
            break;
        }
    }
    carry
}

/// The counter of one session.
#[must_use]
pub fn read(planes: &[u64], session: u32) -> u64 {
    planes
        .iter()
        .enumerate()
        .fold(0, |sum, (n, plane)| sum | (plane >> session & 1) << n)
}

/// Sets the counter of one session.
pub fn write(planes: &mut [u64], session: u32, value: u64) {
    for (n, plane) in planes.iter_mut().enumerate() {
        *plane = *plane & !(1 << session) | (value >> n & 1) << session;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_session_alone() {
        let mut planes = [0; PLANES];
        for i in 0..1000_u32 {
            let mask = (0..64)
                .filter(|s| i % (s + 1) == 0)
                .fold(0, |m, s| m | 1 << s);
            assert_eq!(add(&mut planes, mask), 0);
        }
        for s in 0..64 {
            assert_eq!(read(&planes, s), u64::from(1000_u32.div_ceil(s + 1)));
        }
    }

    #[test]
    fn overflows_exactly_at_the_cap() {
        let mut planes = [0; CAP_PLANES];
        write(&mut planes, 3, (1 << CAP_PLANES) - 5);
        write(&mut planes, 63, (1 << CAP_PLANES) - 1);
        let overflowed: [u64; 6] = core::array::from_fn(|_| add(&mut planes, 1 << 3 | 1 << 63));
        assert_eq!(overflowed, [1 << 63, 0, 0, 0, 1 << 3, 0]);
    }
}
