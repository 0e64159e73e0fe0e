//! Bit-sliced counters: plane n holds bit n of 64 counters, one for each session. Adding one to every session of a mask
//! is a ripple of a few words, whatever the number of sessions.

use crate::{config::CAP_PLANES, layout, seal};

/// Planes of a loss counter: 2^40 losses.
pub const PLANES: usize = 40;

/// Rate caps and losses of one CPU, under a [`seal`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Changes ended.
    pub after: u64,
    /// Samples of the current second.
    pub cap: Cap,
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

impl Counters {
    /// Begins a change.
    #[inline(always)]
    pub fn begin(&mut self) {
        seal::begin(&mut self.before);
    }

    /// Ends it.
    #[inline(always)]
    pub fn end(&mut self) {
        seal::end(self.before, &mut self.after);
    }
}

/// Samples that each session has had in the current second.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    /// Start of that second, ns.
    pub window: u64,
    /// Sessions whose cap is reached in it.
    pub capped: u64,
    /// Generation that the caps belong to.
    pub generation: u64,
    /// Samples, counted up from start values that overflow at the cap.
    pub planes: [u64; CAP_PLANES],
}
layout!(Cap, 8 * (3 + CAP_PLANES));

const SECOND: u64 = 1_000_000_000;

impl Cap {
    /// Those of `wanted` that are below their cap, and get one sample more; the rest are at it. `start` are the start values of
    /// the generation, `capped` its sessions that have a cap.
    #[inline(always)]
    pub fn admit(
        &mut self,
        start: &[u64; CAP_PLANES],
        capped: u64,
        generation: u32,
        wanted: u64,
        now: u64,
    ) -> u64 {
        if wanted & capped == 0 {
            return wanted;
        }
        if self.generation != u64::from(generation) || now.wrapping_sub(self.window) >= SECOND {
            self.generation = u64::from(generation);
            self.window = now;
            self.capped = 0;
            for (plane, start) in self.planes.iter_mut().zip(start) {
                // SAFETY: a valid reference. Volatile, or the copy becomes a call of memcpy, a byte loop.
                unsafe { core::ptr::write_volatile(plane, *start) };
            }
        }
        let open = wanted & !self.capped;
        self.capped |= add(&mut self.planes, open) & capped;
        open
    }
}

/// Adds one to the counters of `mask`; returns those that overflowed.
#[inline(always)]
pub fn add(planes: &mut [u64], mask: u64) -> u64 {
    let mut carry = mask;
    for plane in planes {
        if carry == 0 {
            break;
        }
        let next = *plane & carry;
        *plane ^= carry;
        carry = next;
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

    #[test]
    fn a_cap_opens_again_with_the_next_second_and_generation() {
        let mut start = [0; CAP_PLANES];
        write(&mut start, 1, (1 << CAP_PLANES) - 2);
        let mut cap = Cap {
            window: 0,
            capped: 0,
            generation: 0,
            planes: [0; CAP_PLANES],
        };
        let mut admit = |generation, now| cap.admit(&start, 0b10, generation, 0b11, now);
        assert_eq!([1, 2, 3].map(|now| admit(1, now)), [0b11, 0b11, 0b01]);
        assert_eq!(admit(1, SECOND), 0b01);
        assert_eq!(admit(1, SECOND + 1), 0b11);
        assert_eq!(admit(1, SECOND + 2), 0b11);
        assert_eq!(admit(1, SECOND + 3), 0b01);
        assert_eq!(admit(2, SECOND + 4), 0b11);
    }
}
