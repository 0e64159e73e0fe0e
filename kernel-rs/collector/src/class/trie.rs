//! The classification trie of an engine: clauses by address, port and whatever else is looked up.

use aya::{
    Ebpf,
    maps::{
        MapData, MapError,
        lpm_trie::{Key, LpmTrie},
    },
};
use latscope_events::config::{Clauses, TrieKey};

use crate::{bpf::take, failure::Failure, wire::Wire};

/// The trie, and what it holds of each bank.
pub(crate) struct Trie {
    map: LpmTrie<MapData, Wire<TrieKey>, Clauses>,
    written: [Vec<(u32, TrieKey)>; 2],
}

impl Trie {
    /// Takes the trie, which is empty, out of a loaded object.
    pub(crate) fn open(ebpf: &mut Ebpf) -> Result<Self, Failure> {
        Ok(Self {
            map: take(ebpf, "TRIE")?,
            written: [Vec::new(), Vec::new()],
        })
    }

    /// Replaces the entries of a bank; `full` says what it means when there is no room.
    pub(crate) fn write(
        &mut self,
        bank: u32,
        entries: &[(u32, TrieKey, Clauses)],
        full: impl Fn(&MapError) -> Failure,
    ) -> Result<(), Failure> {
        let written = &mut self.written[bank as usize & 1];
        for (length, key) in written.drain(..) {
            self.map
                .remove(&Key::new(length, Wire(key)))
                .map_err(|error| Failure::kernel("emptying TRIE", &error))?;
        }
        for (length, key, clauses) in entries {
            self.map
                .insert(&Key::new(*length, Wire(*key)), clauses, 0)
                .map_err(|error| full(&error))?;
            written.push((*length, *key));
        }
        Ok(())
    }
}
