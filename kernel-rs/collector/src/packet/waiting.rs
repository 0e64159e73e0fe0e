//! Starts that nobody answered, by conservation: what began, less what ended, less what still waits. Nothing that the tables
//! gave up under pressure is missed, however fast (ACCURACY.md 21, 23).

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use aya::Ebpf;
use latscope_events::{
    class::{GroupStats, KINDS, kind},
    flow::{self, CODE, Direction, Flow, FlowKey4, FlowKey6, GROUPS, protocol},
    pending::{Pending, TransactionKey},
};
use latscope_matching::{
    clock::{ANSWER_NS, TIMEOUT_NS},
    exchange::IDLE_NS,
    peer::WAITS,
    segment::distance,
};

use super::table::Table;
use crate::failure::Failure;

type ByGroup = [[u64; KINDS]; GROUPS];

/// The tables of what waits.
pub(super) struct Waiting {
    peers4: Table<FlowKey4, Pending>,
    peers6: Table<FlowKey6, Pending>,
    transactions: Table<TransactionKey, Pending>,
    flows4: [Table<FlowKey4, Flow>; 3],
    flows6: [Table<FlowKey6, Flow>; 3],
    /// ns after which a first datagram waits no more, by group.
    idle_ns: [u64; GROUPS],
    /// The generation since which each group has looked.
    since: [u32; GROUPS],
    /// As of then: tables are walked once a second at most, whoever asks.
    known: Cell<(Option<Instant>, ByGroup)>,
}

impl Waiting {
    pub(super) fn open(ebpf: &mut Ebpf) -> Result<Self, Failure> {
        Ok(Self {
            peers4: Table::open(ebpf, "PENDING4")?,
            peers6: Table::open(ebpf, "PENDING6")?,
            transactions: Table::open(ebpf, "TRANSACTIONS")?,
            flows4: [
                Table::open(ebpf, "FLOWS4")?,
                Table::open(ebpf, "HALF_OPEN4")?,
                Table::open(ebpf, "UDP_FLOWS4")?,
            ],
            flows6: [
                Table::open(ebpf, "FLOWS6")?,
                Table::open(ebpf, "HALF_OPEN6")?,
                Table::open(ebpf, "UDP_FLOWS6")?,
            ],
            idle_ns: [IDLE_NS; GROUPS],
            since: [0; GROUPS],
            known: Cell::new((None, [[0; KINDS]; GROUPS])),
        })
    }

    /// Takes over how long first datagrams of each group wait.
    pub(super) fn set_idle(&mut self, idle_ns: &[u64; GROUPS]) {
        self.idle_ns = *idle_ns;
    }

    /// A group looks anew, from this generation on: what flows waited for until now is lost.
    pub(super) fn begin(&mut self, group: usize, since: u32) {
        self.since[group % GROUPS] = since;
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
            self.waiting(crate::clock::monotonic_ns())?
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

    /// Starts that wait: in tables of their own those that began not too long before `now`, by `CLOCK_MONOTONIC`; in flows, whose
    /// every packet looks after that, all.
    fn waiting(&self, now: u64) -> Result<ByGroup, Failure> {
        let mut sum = [[0; KINDS]; GROUPS];
        let mut wait = |tag, first: &Pending| add(&mut sum, tag, first, &self.idle_ns, now);
        self.peers4.each(|key, it| wait(key.tag, it))?;
        self.peers6.each(|key, it| wait(key.tag, it))?;
        self.transactions.each(|key, it| wait(key.tag, it))?;
        for flows in &self.flows4 {
            flows.each(|key, it| add_flow(&mut sum, key.tag, it, &self.since))?;
        }
        for flows in &self.flows6 {
            flows.each(|key, it| add_flow(&mut sum, key.tag, it, &self.since))?;
        }
        Ok(sum)
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

/// What a flow waits for: segments in flight, the last half of a handshake, a reply. Nothing that nobody asks for.
fn add_flow(sum: &mut ByGroup, tag: u32, flow: &Flow, since: &[u32; GROUPS]) {
    let group = flow::group(tag) as usize % GROUPS;
    if flow.mask == 0 || distance(flow.generation, since[group]) < 0 {
        return;
    }
    let sum = &mut sum[group];
    let is = |there: bool| u64::from(there);
    let (half, request) = if tag & CODE == protocol::TCP {
        let in_flight = |way: &Direction| {
            let slots = way.slots.iter().filter(|it| **it != 0).count() as u64;
            slots + is(way.edge_time != 0)
        };
        sum[kind::SEGMENT as usize] += flow.direction.iter().map(in_flight).sum::<u64>();
        (kind::SYN_ACK, kind::REQUEST)
    } else {
        (kind::QUIC, kind::UDP)
    };
    sum[half as usize] += is(flow.syn_ack_time != 0);
    sum[request as usize] += is(flow.request_time != 0);
}
