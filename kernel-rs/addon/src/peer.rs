//! Who is at the other end of a unix socket.

use std::os::fd::{BorrowedFd, RawFd};

use napi_derive::napi;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// The user id of the process that connected to a unix socket (`SO_PEERCRED`), as the kernel noted it then; null for a
/// descriptor that is no such socket.
#[napi]
#[must_use]
pub fn peer_uid(descriptor: RawFd) -> Option<u32> {
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the caller's socket stays open during the call; for anything else the kernel answers with an error.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Some(getsockopt(&descriptor, PeerCredentials).ok()?.uid())
}
