//! Functions that a thread is in.

use crate::layout;

/// Functions of one thread that are followed at once, one inside the other.
pub const FRAMES: usize = 16;

/// One call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// When it began.
    pub time: u64,
    /// Stack pointer at its begin: a frame below that of a return has been left without one (longjmp, an exception).
    pub stack: u64,
    /// Number of the function.
    pub target: u32,
    /// Generation at its begin.
    pub generation: u32,
}
layout!(Frame, 24);

/// Value of the table of frames, by thread id.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    /// Frames in use.
    pub depth: u32,
    /// Calls deeper than are followed.
    pub beyond: u32,
    /// The outermost first.
    pub frame: [Frame; FRAMES],
}
layout!(Frames, 8 + 24 * FRAMES);
