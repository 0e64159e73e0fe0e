//! The socket engine: one `sock_ops` program on the root of cgroup v2, for all sessions.
//!
//! Sessions are lanes, plans and books as in the packet engine ([`crate::class`]); a socket is classified once for each generation of them, and
//! keeps what it came to in its own storage.

mod attachment;
mod capability;
mod convert;
mod engine;
mod existing;
mod histograms;
mod lane;
#[cfg(test)]
mod live_tests;
mod object;
mod offsets;
mod plan;
mod routes;
mod series;

pub use engine::SocketEngine;
pub(crate) use object::SOCKET as OBJECT;
