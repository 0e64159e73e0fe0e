//! Starts that nobody answered, by conservation: what began, less what ended, less what still waits. Nothing that the tables
//! gave up under pressure is missed, however fast (ACCURACY.md 21, 23).

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};
use latscope_events::{
    class::{GroupStats, KINDS},
    flow::{self, CODE, Direction, Flow, FlowKey4, FlowKey6, GROUPS, protocol},
    pending::{Pending, TransactionKey},
};
use latscope_matching::{
    clock::{ANSWER_NS, TIMEOUT_NS},
    exchange::IDLE_NS,
    peer::WAITS,
};

use super::{
    tables::Tables,
    wire::{Layout, Wire},
};
use crate::{bpf::take, failure::Failure};

type ByGroup = [[u64; KINDS]; GROUPS];
type Table<K, V> = HashMap<MapData, Wire<K>, Wire<V>>;

/// The tables of what waits.
pub(super) struct Waiting {
    peers4: Table<FlowKey4, Pending>,
    peers6: Table<FlowKey6, Pending>,
    transactions: Table<TransactionKey, Pending>,
    flows4: [Table<FlowKey4, Flow>; 2],
    flows6: [Table<FlowKey6, Flow>; 2],
    /// ns after which a first datagram waits no more, by group.
    idle_ns: [u64; GROUPS],
    /// As of then: tables are walked once a second at most, whoever asks.
    known: Cell<(Option<Instant>, ByGroup)>,
    /// Entries after which a walk ends: those that come and go may make the kernel begin again.
    longest: usize,
}

impl Waiting {
    pub(super) fn open(ebpf: &mut Ebpf, tables: Tables) -> Result<Self, Failure> {
        const WALKS: usize = 8;
        Ok(Self {
            peers4: take(ebpf, "PENDING4")?,
            peers6: take(ebpf, "PENDING6")?,
            transactions: take(ebpf, "TRANSACTIONS")?,
            flows4: [take(ebpf, "FLOWS4")?, take(ebpf, "HALF_OPEN4")?],
            flows6: [take(ebpf, "FLOWS6")?, take(ebpf, "HALF_OPEN6")?],
            idle_ns: [IDLE_NS; GROUPS],
            known: Cell::new((None, [[0; KINDS]; GROUPS])),
            longest: WALKS * tables.flows() as usize,
        })
    }

    /// Takes over how long first datagrams of each group wait.
    pub(super) fn set_idle(&mut self, idle_ns: &[u64; GROUPS]) {
        self.idle_ns = *idle_ns;
    }

    /// Starts of each group that were never answered.
    ///
    /// # Errors
    /// Those of `stats`, which reads what every group counted.
    pub(super) fn unanswered(
        &self,
        stats: impl Fn() -> Result<Vec<GroupStats>, Failure>,
        fresh: bool,
    ) -> Result<ByGroup, Failure> {
        const LASTS: Duration = Duration::from_secs(1);
        let (at, mut known) = self.known.get();
        if !fresh && at.is_some_and(|at| at.elapsed() < LASTS) {
            return Ok(known);
        }
        // In this order whatever happens meanwhile makes the difference smaller.
        let before = stats()?;
        let waiting = if before.iter().all(|it| it.begun == it.ended) {
            [[0; KINDS]; GROUPS]
        } else {
            self.waiting(crate::clock::monotonic_ns())
        };
        let after = stats()?;
        for (group, known) in known.iter_mut().enumerate() {
            for (kind, known) in known.iter_mut().enumerate() {
                let gone = before[group].begun[kind]
                    .saturating_sub(after[group].ended[kind])
                    .saturating_sub(waiting[group][kind]);
                *known = gone.max(*known);
            }
        }
        self.known.set((Some(Instant::now()), known));
        Ok(known)
    }

    /// Starts that wait and began not too long before `now`, by `CLOCK_MONOTONIC`.
    fn waiting(&self, now: u64) -> ByGroup {
        let mut sum = [[0; KINDS]; GROUPS];
        let mut add = |tag, first: &Pending| add(&mut sum, tag, first, &self.idle_ns, now);
        walk(&self.peers4, self.longest, |key, it| add(key.tag, it));
        walk(&self.peers6, self.longest, |key, it| add(key.tag, it));
        walk(&self.transactions, self.longest, |key, it| add(key.tag, it));
        sum
    }

    /// What the flows in the tables wait for: segments in flight, the last half of a handshake, requests.
    pub(super) fn in_flows(&self) -> u64 {
        let mut sum = 0;
        for flows in &self.flows4 {
            walk(flows, self.longest, |key, it| sum += starts(key.tag, it));
        }
        for flows in &self.flows6 {
            walk(flows, self.longest, |key, it| sum += starts(key.tag, it));
        }
        sum
    }
}

fn add(sum: &mut ByGroup, tag: u32, first: &Pending, idle_ns: &[u64; GROUPS], now: u64) {
    let (code, group) = (tag & CODE, flow::group(tag) as usize % GROUPS);
    let lasts = match code {
        protocol::TCP => TIMEOUT_NS,
        protocol::UDP => idle_ns[group],
        _ => ANSWER_NS,
    };
    let waits = code != protocol::TCP || first.flags & WAITS != 0;
    // One that began after `now` was taken is young as well.
    let age = now.saturating_sub(first.time);
    if waits && (age <= lasts || first.time == 0) {
        sum[group][code as usize % KINDS] += 1;
    }
}

fn starts(tag: u32, flow: &Flow) -> u64 {
    let is = |there: bool| u64::from(there);
    let tcp = tag & CODE == protocol::TCP;
    let in_flight = |way: &Direction| {
        let slots = way.slots.iter().filter(|it| **it != 0).count() as u64;
        slots + is(way.edge_time != 0)
    };
    let segments = if tcp {
        flow.direction.iter().map(in_flight).sum()
    } else {
        0
    };
    segments + is(flow.syn_ack_time != 0) + is(flow.request_time != 0)
}

/// Shows every entry that is there all the while, `longest` of them at most; others perhaps.
fn walk<K: Layout, V: Layout>(table: &Table<K, V>, longest: usize, mut show: impl FnMut(&K, &V)) {
    for entry in table.iter().take(longest).flatten() {
        show(&entry.0.0, &entry.1.0);
    }
}
