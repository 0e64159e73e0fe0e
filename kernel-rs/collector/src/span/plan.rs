//! From lanes to the tables that the programs decide with.

use std::collections::HashMap;

use latscope_events::{
    config::{CAP_PLANES, CLAUSES},
    counter,
    span::{
        config::{
            Accepting, Config, EXPONENTS, FilterKey, GENERATIONS, SYSCALLS, TIMEOUTS, Timeout,
            field, key,
        },
        metric::METRICS,
        offsets::COMPAT,
    },
};

use super::lane::{Accepted, Lane};
use crate::{
    failure::{Failure, Reason},
    metric,
    proto::{GroupBy, Metric},
    wire::zero,
};

/// A lane in its place.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    /// Its bit.
    pub(super) bit: u32,
    /// The generation since which it is there.
    pub(super) since: u32,
    /// What it stands for.
    pub(super) lane: &'a Lane,
}

/// One generation of the lanes.
pub(super) struct Plan {
    /// The plain tables.
    pub(super) config: Config,
    /// What is looked up.
    pub(super) filters: HashMap<FilterKey, Accepting>,
}

/// Makes the tables of a generation.
///
/// # Errors
/// `CAPACITY_EXHAUSTED` for more different timeouts than there is room for.
pub(super) fn make(lanes: &[Placed<'_>], generation: u32) -> Result<Plan, Failure> {
    let mut plan = Plan {
        config: zero(),
        filters: HashMap::new(),
    };
    for placed in lanes {
        plan.enter(placed, generation)?;
    }
    plan.settle();
    Ok(plan)
}

impl Plan {
    fn enter(&mut self, placed: &Placed<'_>, generation: u32) -> Result<(), Failure> {
        let Placed { bit, since, lane } = *placed;
        let mask = 1_u64 << bit;
        let config = &mut self.config;
        for (metric, wants) in config.wants.iter_mut().enumerate().take(METRICS) {
            if lane.metrics >> metric & 1 != 0 {
                *wants |= mask;
            }
        }
        if lane.cap > 0 && lane.cap < 1 << CAP_PLANES {
            config.capped |= mask;
            counter::write(
                &mut config.cap,
                bit,
                (1 << CAP_PLANES) - u64::from(lane.cap),
            );
        }
        for exponent in 0..EXPONENTS {
            if u64::MAX >> (63 - exponent) < lane.min_latency_ns {
                config.faster[exponent] |= mask;
            }
        }
        if !lane.histograms_only {
            config.sampled |= mask;
        }
        for (back, there) in config.since.iter_mut().enumerate().take(GENERATIONS) {
            if generation.wrapping_sub(since) as usize >= back {
                *there |= mask;
            }
        }
        if lane.failed_only {
            config.failed_only |= mask;
        }
        if lane.idle {
            config.idle |= mask;
        }
        config.keys |= keys(&lane.group_by);
        self.time_out(lane, mask)?;
        for (side, clauses) in [&lane.filters, &lane.exclude].into_iter().enumerate() {
            for (clause, accepted) in clauses.iter().enumerate() {
                self.accept(accepted, side, clause, mask);
            }
        }
        if lane.metrics & metric::bit(Metric::Syscall) != 0 {
            self.system_calls(lane);
        }
        Ok(())
    }

    fn time_out(&mut self, lane: &Lane, mask: u64) -> Result<(), Failure> {
        let Some(ns) = lane.timeout_ns else {
            return Ok(());
        };
        let used = self.config.timeouts_used as usize;
        if let Some(known) = self.config.timeouts[..used]
            .iter_mut()
            .find(|it| it.ns == ns)
        {
            known.lanes |= mask;
            return Ok(());
        }
        if used == TIMEOUTS {
            let text = format!(
                "sessions have {TIMEOUTS} different timeouts already; use one of theirs or stop one"
            );
            return Err(
                Failure::new(Reason::CapacityExhausted, text.clone()).with_quota("timeouts", text)
            );
        }
        self.config.timeouts[used] = Timeout { ns, lanes: mask };
        self.config.timeouts_used += 1;
        Ok(())
    }

    /// Enters one clause of one lane.
    fn accept(&mut self, accepted: &Accepted, side: usize, clause: usize, mask: u64) {
        let Accepted {
            pids,
            comms,
            cgroups,
            subjects,
        } = accepted;
        if !cgroups.is_empty() {
            self.config.cgroups = 1;
        }
        let pids = pids.iter().map(|pid| (0, [u64::from(*pid), 0]));
        self.values(field::PID, pids.collect(), side, clause, mask);
        let comms = comms.iter().map(|comm| (0, comm_words(comm)));
        self.values(field::COMM, comms.collect(), side, clause, mask);
        let cgroups = cgroups.iter().map(|id| (0, [*id, 0]));
        self.values(field::CGROUP, cgroups.collect(), side, clause, mask);
        match subjects {
            None => *side_of(&mut self.config.any[field::SUBJECT as usize], side, clause) |= mask,
            Some(subjects) => {
                self.config.subjects = 1;
                for (metric, id) in subjects {
                    let accepting = self.value(field::SUBJECT, *metric as u16, [*id, 0]);
                    *side_of(accepting, side, clause) |= mask;
                }
            }
        }
    }

    fn values(
        &mut self,
        field: u32,
        values: Vec<(u16, [u64; 2])>,
        side: usize,
        clause: usize,
        mask: u64,
    ) {
        if values.is_empty() {
            *side_of(&mut self.config.any[field as usize], side, clause) |= mask;
        }
        for (metric, value) in values {
            *side_of(self.value(field, metric, value), side, clause) |= mask;
        }
    }

    fn value(&mut self, field: u32, metric: u16, value: [u64; 2]) -> &mut Accepting {
        let key = FilterKey {
            field: field as u16,
            metric,
            bank: 0,
            value,
        };
        self.filters.entry(key).or_default()
    }

    /// Marks the calls that a lane may want: others are left alone at once.
    fn system_calls(&mut self, lane: &Lane) {
        for accepted in &lane.filters {
            match &accepted.subjects {
                None => self.config.syscalls = [u64::MAX; SYSCALLS / 64],
                Some(subjects) => {
                    for (_, number) in subjects {
                        let number = *number as usize & (COMPAT as usize - 1);
                        if let Some(word) = self.config.syscalls.get_mut(number / 64) {
                            *word |= 1 << (number % 64);
                        }
                    }
                }
            }
        }
    }

    /// Adds what every value's entry holds besides, and what is accepted where no task is known.
    fn settle(&mut self) {
        let config = &mut self.config;
        for (key, accepting) in &mut self.filters {
            let any = &config.any[usize::from(key.field)];
            change(accepting, any, |old, any| old | any);
        }
        let mut nobody = config.any[field::PID as usize];
        change(&mut nobody, &config.any[field::COMM as usize], |a, b| a & b);
        change(&mut nobody, &config.any[field::CGROUP as usize], |a, b| {
            a & b
        });
        config.nobody.filters = nobody.filters;
        config.nobody.exclude = nobody.exclude;
        change(&mut nobody, &config.any[field::SUBJECT as usize], |a, b| {
            a & b
        });
        let all = |lanes: [u64; CLAUSES]| lanes.into_iter().fold(0, |all, it| all | it);
        config.nobody.lanes = all(nobody.filters) & !all(nobody.exclude);
    }
}

/// The lanes of a clause: of filters, or of those that exclude.
fn side_of(accepting: &mut Accepting, side: usize, clause: usize) -> &mut u64 {
    if side == 0 {
        &mut accepting.filters[clause]
    } else {
        &mut accepting.exclude[clause]
    }
}

fn change(accepting: &mut Accepting, by: &Accepting, change: impl Fn(u64, u64) -> u64) {
    for (old, by) in accepting.filters.iter_mut().zip(by.filters) {
        *old = change(*old, by);
    }
    for (old, by) in accepting.exclude.iter_mut().zip(by.exclude) {
        *old = change(*old, by);
    }
}

/// The keys of a bank, which are the same in both but for that.
pub(super) fn of_bank(
    filters: HashMap<FilterKey, Accepting>,
    bank: u32,
) -> HashMap<FilterKey, Accepting> {
    let of_bank = |(key, accepting)| (FilterKey { bank, ..key }, accepting);
    filters.into_iter().map(of_bank).collect()
}

/// [`key`] bits of what is grouped by.
pub(super) fn keys(group_by: &[GroupBy]) -> u32 {
    group_by.iter().fold(0, |keys, by| {
        keys | match by {
            GroupBy::Comm => key::COMM,
            GroupBy::Cgroup => key::CGROUP,
            GroupBy::Subject => key::SUBJECT,
            GroupBy::Result => key::RESULT,
            _ => 0,
        }
    })
}

/// The name of a task as the kernel keeps it.
fn comm_words(comm: &str) -> [u64; 2] {
    let mut bytes = [0; 16];
    let length = comm.len().min(15);
    bytes[..length].copy_from_slice(&comm.as_bytes()[..length]);
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
    [word(0), word(8)]
}
