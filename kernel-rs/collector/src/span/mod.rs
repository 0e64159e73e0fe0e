//! The span engine: time between two points of one task, request or object.
//!
//! A probe of a session becomes one or more [`lane`]s, bits of the mask that the programs decide on for every task. [`plan`]
//! turns all lanes into the tables of a generation; [`engine`] writes them into the bank that is not in use and flips.
//! [`books`] adds the kernel's counters up, [`series`] its histograms, [`routes`] names what samples only number.

mod anchor;
mod attachment;
mod books;
mod capability;
mod engine;
mod function;
mod goroutines;
mod hook;
mod lane;
#[cfg(test)]
mod live_tests;
mod object;
mod offsets;
mod plan;
mod routes;
mod series;
mod subject;
mod target;
mod task;
mod trap;
mod uprobe;

pub use engine::SpanEngine;
pub(crate) use object::SPAN as OBJECT;
