//! From lanes to the tables that the program classifies sockets with: the packet engine's, and processes, names, cgroups.

use latscope_events::config::field;

use crate::{
    cgroup,
    class::{
        lane::Lane,
        plan::{self, Look, Placed, Plan},
        prefix::{Accepts, Prefix},
    },
    failure::Failure,
    spec::compiled::Clause,
};

/// Bytes of a task's name, its end included.
const COMM: usize = 16;

/// Makes the tables of bank `bank`; `since` is the generation since which the program is attached.
///
/// # Errors
/// Those of the packet engine's.
pub(super) fn make(lanes: &[(u32, &Lane)], since: u32, bank: u32) -> Result<Plan, Failure> {
    let placed: Vec<Placed<'_>> = lanes
        .iter()
        .map(|(bit, lane)| Placed {
            bit: *bit,
            group: 0,
            look: Look::default(),
            since,
            lane,
        })
        .collect();
    let mut made = plan::make(&placed, bank)?;
    for (exclude, flag) in [(false, 0), (true, field::EXCLUDE)] {
        for (field, keys) in FIELDS {
            if let Some(accepts) = accepts(lanes, exclude, keys) {
                made.config.fields |= field;
                made.trie.extend(accepts.entries(field | flag, bank));
            }
        }
    }
    // A field is looked up in both lists or in none.
    for (field, keys) in FIELDS {
        for (exclude, flag) in [(false, 0), (true, field::EXCLUDE)] {
            if made.config.fields & field != 0 && accepts(lanes, exclude, keys).is_none() {
                let all = every(lanes, exclude);
                made.trie.extend(all.entries(field | flag, bank));
            }
        }
    }
    Ok(made)
}

/// What a clause asks of a field, as prefixes; empty = nothing.
type Keys = fn(&Clause) -> Vec<Prefix>;

const FIELDS: [(u32, Keys); 3] = [
    (field::PID, |clause| {
        let pids = clause.pids.iter();
        pids.map(|it| Prefix::of_bytes(&it.to_ne_bytes())).collect()
    }),
    (field::COMM, |clause| {
        let comms = clause.comms.iter();
        comms.map(|it| Prefix::of_bytes(&comm(it))).collect()
    }),
    (field::CGROUP, |clause| {
        let paths = clause.cgroup_paths.iter();
        // One that is not there has no sockets; no cgroup has this id.
        paths
            .map(|it| cgroup::id(it).unwrap_or(u64::MAX))
            .map(|id| Prefix::of_bytes(&id.to_ne_bytes()))
            .collect()
    }),
];

/// Which clauses accept what; `None` where none asks.
fn accepts(lanes: &[(u32, &Lane)], exclude: bool, keys: Keys) -> Option<Accepts> {
    let mut accepts = Accepts::default();
    let mut asked = false;
    for (bit, index, clause) in clauses(lanes, exclude) {
        let keys = keys(clause);
        if keys.is_empty() {
            accepts.accept(Prefix::ANY, index, bit);
        }
        for key in keys {
            asked = true;
            accepts.accept(key, index, bit);
        }
    }
    asked.then_some(accepts)
}

fn every(lanes: &[(u32, &Lane)], exclude: bool) -> Accepts {
    let mut accepts = Accepts::default();
    for (bit, index, _) in clauses(lanes, exclude) {
        accepts.accept(Prefix::ANY, index, bit);
    }
    accepts
}

/// Each clause with its lane's bit and its place.
fn clauses<'a>(
    lanes: &[(u32, &'a Lane)],
    exclude: bool,
) -> impl Iterator<Item = (u32, usize, &'a Clause)> {
    lanes.iter().flat_map(move |(bit, lane)| {
        let list = if exclude {
            &lane.exclude
        } else {
            &lane.filters
        };
        let bit = *bit;
        list.iter()
            .enumerate()
            .map(move |(index, clause)| (bit, index, clause))
    })
}

/// A name as the kernel keeps it: cut, and filled up with zeros.
fn comm(name: &str) -> [u8; COMM] {
    let mut bytes = [0; COMM];
    let length = name.len().min(COMM - 1);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    bytes
}
