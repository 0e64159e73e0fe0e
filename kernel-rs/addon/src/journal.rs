//! The systemd journal, by its native protocol.

use std::os::unix::net::UnixDatagram;

use latscope_collector::failure::{Failure, Reason};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::failure::{Thrown, thrown};

/// Sends an entry, fields as `NAME=value` a line each, to the journal's socket; never waits.
///
/// # Errors
/// `INTERNAL` with what the kernel says: nobody listens there, or the journal is behind. The entry was not taken then.
#[napi]
pub fn send_to_journal(socket: String, entry: Buffer) -> Result<(), Thrown> {
    let send = || {
        let from = UnixDatagram::unbound()?;
        from.set_nonblocking(true)?;
        from.send_to(&entry, &socket)
    };
    send()
        .map(drop)
        .map_err(|error| thrown(&Failure::new(Reason::Internal, error.to_string())))
}
