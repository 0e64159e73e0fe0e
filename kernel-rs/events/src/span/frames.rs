//! Functions that a thread is in.

use crate::layout;

/// Calls of one thread that are followed at once.
pub const FRAMES: usize = 16;

/// One call; free where `time` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// When it began.
    pub time: u64,
    /// Stack pointer at its begin, which tells calls of one function apart: recursion, coroutines, and what is left without a
    /// return.
    pub stack: u64,
    /// What was called: [`target`].
    pub target: u64,
}
layout!(Frame, 24);

/// Value of the table of frames, by thread id.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    /// In no order.
    pub frame: [Frame; FRAMES],
}
layout!(Frames, 24 * FRAMES);

/// Key of the table of frames by goroutine, which threads take turns to run.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Goroutine {
    /// Address of its `runtime.g`.
    pub address: u64,
    /// Thread group.
    pub pid: u32,
    /// Unused.
    pub reserved: u32,
}
layout!(Goroutine, 16);

/// What a program is attached for, in 64 bits.
pub mod target {
    /// Targets at once: one for each lane.
    pub const TARGETS: usize = 64;

    /// Its lane's bit.
    #[inline(always)]
    #[must_use]
    pub const fn bit(target: u64) -> u32 {
        target as u32 & (TARGETS as u32 - 1)
    }

    /// The number of its name: the subject.
    #[inline(always)]
    #[must_use]
    pub const fn subject(target: u64) -> u64 {
        target >> 16
    }

    /// Whether it is that of a lane, not of one that had its bit before.
    #[must_use]
    pub const fn is_of(target: u64, lane: u32, salt: u32) -> bool {
        target & 0xffff == pack(lane, salt, 0)
    }

    /// All of it. `salt` differs from that of the lane that had the bit before.
    #[must_use]
    pub const fn pack(bit: u32, salt: u32, subject: u64) -> u64 {
        subject << 16 | ((salt & 0xff) << 8) as u64 | bit as u64
    }
}
