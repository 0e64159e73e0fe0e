//! Captures, pushed through the same programs as live traffic.
//!
//! [`file`] reads pcap and pcapng through [`source`]; [`link`] turns every link layer into one that the programs know;
//! [`side`] tells which packets this host would have sent; [`line`] and [`rows`] write what was measured.

mod account;
mod file;
mod line;
mod link;
mod packet;
mod pcap;
mod pcapng;
mod replay;
mod rows;
mod side;
mod source;

pub use account::Account;
pub use replay::{Capture, Form, Options};

#[cfg(test)]
mod tests;
