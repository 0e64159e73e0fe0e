//! Types of `latscope_events` as values of kernel maps.

use latscope_events::{
    class::{ClassStats, GroupStats},
    config::{Config, Control, Interface, TrieKey},
    counter::Counters,
    flow::{Flow, FlowKey4, FlowKey6},
    histogram::Histogram,
    options::Options,
    pending::{Pending, TransactionKey},
    series::SeriesKey,
    socket::{self, Offsets},
};

/// A map value or key in the kernel's own bytes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Wire<T>(pub(crate) T);

/// Types that are `repr(C)`, without padding, and valid for every bit pattern.
pub(crate) trait Layout: Copy + 'static {}

impl Layout for ClassStats {}
impl Layout for Config {}
impl Layout for Control {}
impl Layout for Counters {}
impl Layout for Flow {}
impl Layout for FlowKey4 {}
impl Layout for FlowKey6 {}
impl Layout for GroupStats {}
impl Layout for Histogram {}
impl Layout for Interface {}
impl Layout for Offsets {}
impl Layout for Options {}
impl Layout for Pending {}
impl Layout for TransactionKey {}
impl Layout for SeriesKey {}
impl Layout for socket::series::SeriesKey {}
impl Layout for TrieKey {}

// SAFETY: `Layout` promises what `Pod` asks for, and the wrapper is transparent.
unsafe impl<T: Layout> aya::Pod for Wire<T> {}

/// Words as they were on the wire, as bytes.
pub(crate) fn bytes(words: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// A value of zeros, which is valid for every [`Layout`].
pub(crate) fn zero<T: Layout>() -> T {
    // SAFETY: valid for every bit pattern.
    unsafe { std::mem::zeroed() }
}
