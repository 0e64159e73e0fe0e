//! Packets on their way to a socket.

use crate::layout;

/// A packet that a device has handed over, by the address of its data: what shares its data is no other packet.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// When; 0 = its reader has begun to read it.
    pub time: u64,
    /// Address of its `sk_buff`.
    pub skb: u64,
    /// The device: [`device`].
    pub device: u64,
}
layout!(Received, 24);

/// A device in 64 bits.
pub mod device {
    /// Its index, and the inode of its network namespace above it.
    #[inline(always)]
    #[must_use]
    pub const fn pack(namespace: u32, index: u32) -> u64 {
        (namespace as u64) << 32 | index as u64
    }

    /// Inode of its network namespace.
    #[must_use]
    pub const fn namespace(device: u64) -> u32 {
        (device >> 32) as u32
    }

    /// Its index there.
    #[must_use]
    pub const fn index(device: u64) -> u32 {
        device as u32
    }
}
