//! Layouts shared by latscope's eBPF programs and the user side.
//!
//! Every type is `repr(C)`, free of padding, and its size is asserted where it is declared: the two sides are
//! compiled by different compilers and meet only in these bytes. All integers are in the byte order of the host,
//! except addresses and ports inside [`flow::FlowKey4`] and [`flow::FlowKey6`], which stay as they were on the wire.
#![no_std]

pub mod class;
pub mod config;
pub mod counter;
pub mod flow;
pub mod histogram;
pub mod metric;
pub mod options;
pub mod pending;
pub mod refusal;
pub mod sample;
pub mod seal;
pub mod series;
pub mod socket;
pub mod span;
pub mod table;

/// Sessions that one engine can serve at once: the bits of a session mask.
pub const SESSIONS: usize = 64;

/// Asserts at compile time that a type has the size both sides rely on and no padding inside.
macro_rules! layout {
    ($type:ty, $size:expr) => {
        const _: () = assert!(
            core::mem::size_of::<$type>() == $size,
            concat!("size of ", stringify!($type))
        );
    };
}
pub(crate) use layout;
