//! What systemd is told of the service, by the protocol of `sd_notify(3)`.

use std::os::{
    linux::net::SocketAddrExt as _,
    unix::net::{SocketAddr, UnixDatagram},
};

use latscope_collector::failure::{Failure, Reason};
use napi_derive::napi;

use crate::failure::{Thrown, thrown};

/// Sends assignments, a line each, to the socket that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name; never waits.
///
/// # Errors
/// `INTERNAL` with what the kernel says: nobody listens there, or whoever does is behind.
#[napi]
pub fn notify_supervisor(socket: String, assignments: String) -> Result<(), Thrown> {
    let send = || {
        let to = match socket.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&socket)?,
        };
        let from = UnixDatagram::unbound()?;
        from.set_nonblocking(true)?;
        from.send_to_addr(assignments.as_bytes(), &to)
    };
    send()
        .map(drop)
        .map_err(|error| thrown(&Failure::new(Reason::Internal, error.to_string())))
}
