//! The packet engine: one pair of tc programs an interface, for all sessions.
//!
//! A session becomes one or more [`lane`]s, bits of the mask that the programs keep in every flow. [`plan`] turns all lanes
//! into the tables the programs classify flows with; [`engine`] writes them into the bank that is not in use and flips.
//! [`routes`] says into which session logs the ring is drained, [`books`] adds the kernel's counters up. What of that the
//! socket engine does alike is in [`crate::class`].

mod attach;
mod attachment;
mod capability;
mod clsact;
mod convert;
mod engine;
#[cfg(test)]
mod harmless_tests;
mod histograms;
mod interface;
#[cfg(test)]
pub(crate) mod live_tests;
#[cfg(test)]
mod memory_tests;
mod monitor;
mod namespace;
mod object;
mod presence;
pub mod record;
pub mod replay;
mod routes;
mod session;
mod shards;
mod spanning;
mod table;
mod tables;
mod tc;
mod waiting;

use crate::{
    class::{books, grouping, groups, lane, plan},
    wire,
};

pub use engine::PacketEngine;
pub(crate) use object::PACKET as OBJECT;
pub use tables::Tables;
