//! Histograms that the kernel counts: OpenTelemetry's base-2 exponential buckets at scale 3, exact in integers.

use crate::{layout, seal};

/// 8 buckets from a power of two to the next, each 9.05 % wide: 4.5 % to either side.
pub const SCALE: i32 = 3;
/// Buckets of one histogram. Bucket n has the OpenTelemetry index n - 1: it counts (2^((n-1)/8), 2^(n/8)] ns, up to 2^40.
pub const BUCKETS: usize = 8 * 40 + 1;

/// One CPU's part of a histogram, under a [`seal`]. Counters wrap; the user side adds up their differences.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Histogram {
    /// Changes ended.
    pub after: u64,
    /// Sum of the latencies, ns.
    pub sum: u64,
    /// The complement of the least latency, ns; 0 when there is none.
    pub least_inverted: u64,
    /// The greatest latency, ns.
    pub greatest: u64,
    /// Latencies of 0 ns.
    pub zero: u32,
    /// Latencies above the last bucket.
    pub overflow: u32,
    /// Latencies by size.
    pub buckets: [u32; BUCKETS],
    /// Unused.
    pub reserved: u32,
    /// Changes begun.
    pub before: u64,
}
layout!(Histogram, 1336);

impl Histogram {
    /// Counts a latency, ns.
    #[inline(always)]
    pub fn add(&mut self, latency: u64) {
        seal::begin(&mut self.before);
        self.sum = self.sum.wrapping_add(latency);
        if !latency > self.least_inverted {
            self.least_inverted = !latency;
        }
        if latency > self.greatest {
            self.greatest = latency;
        }
        if latency == 0 {
            self.zero = self.zero.wrapping_add(1);
        } else {
            let at = bucket(latency, exponent(latency));
            if at < BUCKETS {
                self.buckets[at] = self.buckets[at].wrapping_add(1);
            } else {
                self.overflow = self.overflow.wrapping_add(1);
            }
        }
        seal::end(self.before, &mut self.after);
    }
}

/// A sixteenth of an octave: `edge` is the one bucket bound in it, the floor of 2^63 * 2^(k/8), or beyond all; `below` are
/// the bounds before it.
struct Cell {
    edge: u64,
    below: u32,
}

const fn cell(edge: u64, below: u32) -> Cell {
    Cell { edge, below }
}

const NO_EDGE: u64 = u64::MAX;

static CELLS: [Cell; 16] = [
    cell(0x8000_0000_0000_0000, 0),
    cell(0x8b95_c1e3_ea8b_d6e6, 1),
    cell(NO_EDGE, 2),
    cell(0x9837_f051_8db8_a96f, 2),
    cell(0xa5fe_d6a9_b151_38ea, 3),
    cell(NO_EDGE, 4),
    cell(0xb504_f333_f9de_6484, 4),
    cell(NO_EDGE, 5),
    cell(0xc567_2a11_5506_dadd, 5),
    cell(NO_EDGE, 6),
    cell(0xd744_fcca_d69d_6af4, 6),
    cell(NO_EDGE, 7),
    cell(NO_EDGE, 7),
    cell(0xeac0_c6e7_dd24_392e, 7),
    cell(NO_EDGE, 8),
    cell(NO_EDGE, 8),
];

/// The exponent of the power of two at or below a value; 0 for 0. In steps, since BPF has no instruction for it.
#[inline(always)]
#[must_use]
pub const fn exponent(value: u64) -> u32 {
    let mut rest = value;
    let mut exponent = 0;
    if rest >> 32 != 0 {
        rest >>= 32;
        exponent = 32;
    }
    if rest >> 16 != 0 {
        rest >>= 16;
        exponent += 16;
    }
    if rest >> 8 != 0 {
        rest >>= 8;
        exponent += 8;
    }
    if rest >> 4 != 0 {
        rest >>= 4;
        exponent += 4;
    }
    if rest >> 2 != 0 {
        rest >>= 2;
        exponent += 2;
    }
    exponent + (rest >> 1) as u32
}

/// The bucket of a latency above 0 whose [`exponent`] is known; [`BUCKETS`] or more when it is above the last.
#[inline(always)]
#[must_use]
pub fn bucket(latency: u64, exponent: u32) -> usize {
    let scaled = latency << (63 - (exponent & 63));
    let cell = &CELLS[(scaled >> 59) as usize & 15];
    (8 * exponent + cell.below + (scaled > cell.edge) as u32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_is_the_floor_of_the_logarithm() {
        assert_eq!(exponent(0), 0);
        for power in 0..64 {
            let value = 1_u64 << power;
            assert_eq!(exponent(value), power);
            assert_eq!(exponent(value | (value - 1)), power);
        }
    }

    #[test]
    fn powers_of_two_are_the_last_of_their_bucket() {
        let at = |value| bucket(value, exponent(value));
        assert_eq!((at(1), at(2), at(3)), (0, 8, 13));
        assert_eq!((at(1 << 20), at((1 << 20) + 1)), (160, 161));
        assert_eq!((at(1 << 40), at((1 << 40) + 1)), (BUCKETS - 1, BUCKETS));
    }
}
