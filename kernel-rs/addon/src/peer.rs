//! Who is at the other end of a unix socket.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use napi_derive::napi;
use nix::libc;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// The most groups that a process has (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;
/// As many as nearly everybody has at most; more takes a second call.
const USUAL_GROUPS: usize = 64;

/// The process that connected to a unix socket, as the kernel noted it then.
#[napi(object)]
pub struct Peer {
    /// Its effective user id.
    pub uid: u32,
    /// Its groups, its own first.
    pub gids: Vec<u32>,
}

/// The process at the other end of a unix socket (`SO_PEERCRED`, `SO_PEERGROUPS`); null for a descriptor that is no such socket.
#[napi]
#[must_use]
pub fn peer_of(descriptor: RawFd) -> Option<Peer> {
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the caller's socket stays open during the call; for anything else the kernel answers with an error.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let credentials = getsockopt(&descriptor, PeerCredentials).ok()?;
    let mut gids = vec![credentials.gid()];
    let others = groups(descriptor, USUAL_GROUPS).or_else(|| groups(descriptor, MOST_GROUPS))?;
    gids.extend(others.into_iter().filter(|&gid| gid != credentials.gid()));
    Some(Peer {
        uid: credentials.uid(),
        gids,
    })
}

/// The peer's supplementary groups; none when there are more than `room`, or the kernel does not tell.
fn groups(descriptor: BorrowedFd<'_>, room: usize) -> Option<Vec<u32>> {
    let mut groups = vec![0; room];
    let mut length = libc::socklen_t::try_from(size_of_val(groups.as_slice())).ok()?;
    // SAFETY: the buffer has `length` bytes, and the kernel writes no more.
    let answer = unsafe {
        libc::getsockopt(
            descriptor.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if answer != 0 {
        return None;
    }
    groups.truncate(usize::try_from(length).ok()? / size_of::<u32>());
    Some(groups)
}
