//! The packet engine: one pair of tc programs an interface, for all sessions.
//!
//! A session becomes one or more [`lane`]s, bits of the mask that the programs keep in every flow. [`plan`] turns all lanes
//! into the tables the programs classify flows with; [`engine`] writes them into the bank that is not in use and flips.
//! [`routes`] says into which session logs the ring is drained, [`books`] adds the kernel's counters up.

mod asked;
mod attach;
mod attachment;
mod books;
mod capability;
mod classes;
mod clsact;
mod convert;
mod engine;
mod grouping;
mod groups;
#[cfg(test)]
mod harmless_tests;
mod histograms;
mod interface;
mod lane;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod memory_tests;
mod monitor;
mod namespace;
mod object;
mod plan;
mod prefix;
mod presence;
pub mod record;
pub mod replay;
mod routes;
mod session;
mod shards;
// It shares lanes, plans and books.
#[path = "../socket/mod.rs"]
pub mod socket;
mod spanning;
mod tables;
mod tc;
mod trie;
mod waiting;

use crate::wire;

pub use engine::PacketEngine;
pub use tables::Tables;
