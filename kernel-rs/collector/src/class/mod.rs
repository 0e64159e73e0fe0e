//! What the packet and the socket engine share: sessions as bits of a mask, the tables that flows and sockets are classified by,
//! and the books of what was counted for each class of them.
//!
//! A session becomes one or more [`lane`]s. [`plan`] turns all lanes into the tables of a generation; [`table`] holds the
//! counters of the sets of sessions that flows and sockets fall into, [`books`] adds those of a session up.

mod asked;
pub(crate) mod books;
pub(crate) mod grouping;
pub(crate) mod groups;
pub(crate) mod lane;
pub(crate) mod outside;
pub(crate) mod plan;
pub(crate) mod prefix;
pub(crate) mod receiver;
pub(crate) mod table;
pub(crate) mod trie;
