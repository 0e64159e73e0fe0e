//! Attaching where the kernel has no tcx (before 6.6): filters of the clsact qdisc, which outlive the process that made them.
//!
//! Each filter's handle therefore says two things to a service that comes later: whether the qdisc was made for it, and
//! whose it is. The owner holds a socket of that name for as long as it lives, so that nothing of a living one is
//! removed, be it in another container, and everything that a dead one left is.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    os::{
        fd::BorrowedFd,
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use super::{object::Hook, tc::Tc};

/// The bit of a handle that says that the qdisc is ours.
const MADE: u32 = 1;

/// Both programs on one interface. Dropping it detaches them, and removes the qdisc if we made it and nobody else uses it.
pub(super) struct Clsact {
    tc: Tc,
    handle: u32,
    _owner: UnixDatagram,
}

impl Clsact {
    /// Attaches programs, after removing what a service that died left behind.
    ///
    /// # Errors
    /// What the kernel answers; nothing stays attached then.
    pub(super) fn attach(interface: u32, programs: &[(Hook, BorrowedFd<'_>)]) -> io::Result<Self> {
        let tc = Tc::open(interface)?;
        let inherited = bury(&tc)?;
        let made = tc.add_clsact()? || inherited;
        let (owner, name) = owner()?;
        let attached = Self {
            tc,
            handle: if made { name | MADE } else { name },
            _owner: owner,
        };
        for (hook, program) in programs {
            attached
                .tc
                .add_filter(hook.egress, attached.handle, hook.program(), *program)?;
        }
        Ok(attached)
    }
}

impl Drop for Clsact {
    fn drop(&mut self) {
        // An interface that is gone took everything with it.
        let Ok(filters) = self.tc.filters() else {
            return;
        };
        let (own, others): (Vec<_>, Vec<_>) =
            filters.into_iter().partition(|it| it.handle == self.handle);
        for filter in &own {
            let _ = self.tc.delete_filter(filter);
        }
        if self.handle & MADE != 0 && others.is_empty() {
            let _ = self.tc.delete_clsact();
        }
    }
}

/// Removes filters whose owner is dead; whether it had made the qdisc.
fn bury(tc: &Tc) -> io::Result<bool> {
    let mut made = false;
    for filter in tc.filters()? {
        let ours = Hook::ALL
            .iter()
            .any(|hook| hook.program() == filter.program);
        if ours && !lives(filter.handle & !MADE)? {
            made |= filter.handle & MADE != 0;
            tc.delete_filter(&filter)?;
        }
    }
    Ok(made)
}

/// A name that nobody in this network namespace has, and the socket that keeps it.
fn owner() -> io::Result<(UnixDatagram, u32)> {
    loop {
        // A hasher of the standard library is seeded at random.
        let name = RandomState::new().hash_one(0) as u32 & !MADE;
        match UnixDatagram::bind_addr(&address(name)?) {
            Ok(socket) if name != 0 => return Ok((socket, name)),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Err(error),
            _ => {}
        }
    }
}

/// Whether somebody has the name.
fn lives(name: u32) -> io::Result<bool> {
    match UnixDatagram::unbound()?.connect_addr(&address(name)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

/// An abstract address: those belong to a network namespace, and end with their socket.
fn address(name: u32) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("latscope.clsact.{name:08x}"))
}

#[cfg(test)]
mod tests;
