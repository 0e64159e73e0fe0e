//! A reader's own filters: a verdict for each entry of a chunk's dictionary, then a few AND operations a sample.

use std::ops::Range;

use crate::{
    log::chunk::{Chunk, Flow, Process},
    metric,
    proto::{IpProtocol, Metric},
    spec::{
        cidr::Cidr,
        clause::{cgroup_is_below, is_below},
        compiled::{Clause, Ports},
    },
};

/// Bit n of each word: clause n may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    include: u64,
    exclude: u64,
}

impl Verdict {
    fn and(self, other: Self) -> Self {
        Self {
            include: self.include & other.include,
            exclude: self.exclude & other.exclude,
        }
    }
}

/// Which samples a reader wants.
#[derive(Debug)]
pub(crate) struct Filters {
    include: Vec<Clause>,
    exclude: Vec<Clause>,
    /// Samples that ended later are not wanted.
    until_unix_ns: u64,
    by_metric: [Verdict; 32],
    by_latency: bool,
    verdicts: Verdicts,
}

/// Verdicts on the dictionary of one chunk; entry 0 is the one of samples without.
#[derive(Debug, Default)]
struct Verdicts {
    first_index: Option<u64>,
    flows: Vec<Verdict>,
    processes: Vec<Verdict>,
    subjects: Vec<Verdict>,
    names: Vec<Verdict>,
}

impl Filters {
    pub(crate) fn new(
        include: Vec<Clause>,
        exclude: Vec<Clause>,
        until_unix_ns: Option<u64>,
    ) -> Self {
        let by_metric = std::array::from_fn(|number| {
            let row = metric::TABLE
                .iter()
                .find(|row| row.metric as usize == number);
            both(&include, &exclude, |it| {
                row.is_some_and(|row| it.can_match(row))
            })
        });
        let by_latency = include
            .iter()
            .chain(&exclude)
            .any(|it| it.min_latency_ns > 0);
        Self {
            include,
            exclude,
            until_unix_ns: until_unix_ns.unwrap_or(u64::MAX),
            by_metric,
            by_latency,
            verdicts: Verdicts::default(),
        }
    }

    /// Every sample is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty() && self.until_unix_ns == u64::MAX
    }

    /// The wanted ones of positions in a chunk.
    pub(crate) fn select(
        &mut self,
        chunk: &Chunk,
        positions: impl Iterator<Item = usize>,
    ) -> Vec<usize> {
        self.judge(chunk);
        positions.filter(|at| self.wants(chunk, *at)).collect()
    }

    /// How many samples at these positions of a chunk are wanted.
    pub(super) fn count(&mut self, chunk: &Chunk, positions: Range<usize>) -> u64 {
        self.judge(chunk);
        positions.filter(|at| self.wants(chunk, *at)).count() as u64
    }

    fn wants(&self, chunk: &Chunk, at: usize) -> bool {
        let Self {
            verdicts,
            by_metric,
            ..
        } = self;
        if chunk.times[at] > self.until_unix_ns {
            return false;
        }
        let number = chunk.metrics[at];
        let subjects = if number == Metric::DnsReply as u8 {
            &verdicts.names
        } else {
            &verdicts.subjects
        };
        let mut verdict = by_metric[usize::from(number & 31)]
            .and(verdicts.flows[chunk.flow_ids.get(at) as usize])
            .and(verdicts.processes[chunk.process_ids.get(at) as usize])
            .and(subjects[chunk.subject_ids.get(at) as usize]);
        if self.by_latency {
            let latency_ns = chunk.latencies[at];
            verdict = verdict.and(both(&self.include, &self.exclude, |it| {
                latency_ns >= it.min_latency_ns
            }));
        }
        (self.include.is_empty() || verdict.include != 0) && verdict.exclude == 0
    }

    /// Judges what the chunk's dictionary has and was not judged yet.
    fn judge(&mut self, chunk: &Chunk) {
        let Self {
            include,
            exclude,
            verdicts,
            ..
        } = self;
        if verdicts.first_index != Some(chunk.first_index) {
            *verdicts = Verdicts {
                first_index: Some(chunk.first_index),
                ..Verdicts::default()
            };
        }
        let Verdicts {
            flows,
            processes,
            subjects,
            names,
            ..
        } = verdicts;
        for id in flows.len()..=chunk.flows.len() {
            let flow = id.checked_sub(1).map(|at| &chunk.flows[at]);
            flows.push(both(include, exclude, |clause| {
                of_flow(clause, chunk, flow)
            }));
        }
        for id in processes.len()..=chunk.processes.len() {
            let process = id.checked_sub(1).map(|at| &chunk.processes[at]);
            processes.push(both(include, exclude, |clause| {
                of_process(clause, chunk, process)
            }));
        }
        for id in subjects.len()..=chunk.texts.len() {
            let text = chunk.text(id as u32);
            subjects.push(both(include, exclude, |it| {
                any_or_one(&it.subjects, |wanted| wanted == text)
            }));
            names.push(both(include, exclude, |it| {
                any_or_one(&it.subjects, |wanted| is_below(text, wanted))
            }));
        }
    }
}

fn both(include: &[Clause], exclude: &[Clause], holds: impl Fn(&Clause) -> bool) -> Verdict {
    let word = |clauses: &[Clause]| {
        clauses.iter().enumerate().fold(0, |word, (bit, clause)| {
            word | u64::from(holds(clause)) << bit
        })
    };
    Verdict {
        include: word(include),
        exclude: word(exclude),
    }
}

/// No condition, or one of its values holds.
fn any_or_one<T>(values: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(holds)
}

fn of_flow(clause: &Clause, chunk: &Chunk, flow: Option<&Flow>) -> bool {
    let Some(flow) = flow else {
        return clause.client_cidrs.is_empty()
            && clause.server_cidrs.is_empty()
            && clause.cidrs.is_empty()
            && clause.client_ports.is_empty()
            && clause.server_ports.is_empty()
            && clause.ports.is_empty()
            && clause.vlan_ids.is_empty()
            && clause.directions == 0
            && clause.protocols.is_empty()
            && clause.is_of_any_place();
    };
    let Flow {
        ipv4,
        client_address,
        server_address,
        client_port,
        server_port,
        ..
    } = flow;
    let portless = [IpProtocol::Icmp as u8, IpProtocol::Icmpv6 as u8].contains(&flow.protocol);
    let within = |range: &Cidr, address| range.contains(*ipv4, address);
    let among = |ports: &Ports, port: &u16| !portless && (ports.first..=ports.last).contains(port);
    any_or_one(&clause.client_cidrs, |it| within(it, client_address))
        && any_or_one(&clause.server_cidrs, |it| within(it, server_address))
        && any_or_one(&clause.cidrs, |it| {
            within(it, client_address) || within(it, server_address)
        })
        && any_or_one(&clause.client_ports, |it| among(it, client_port))
        && any_or_one(&clause.server_ports, |it| among(it, server_port))
        && any_or_one(&clause.ports, |it| {
            among(it, client_port) || among(it, server_port)
        })
        && any_or_one(&clause.vlan_ids, |it| *it == flow.vlan_id)
        && (clause.directions == 0 || clause.directions & 1 << flow.direction != 0)
        && any_or_one(&clause.protocols, |it| *it == flow.protocol)
        && any_or_one(&clause.interfaces, |it| {
            it.matches(chunk.text(flow.interface))
        })
        && any_or_one(&clause.network_namespaces, |it| {
            *it == flow.network_namespace
        })
}

fn of_process(clause: &Clause, chunk: &Chunk, process: Option<&Process>) -> bool {
    let Some(Process {
        pid,
        comm,
        cgroup_path,
        ..
    }) = process
    else {
        return clause.pids.is_empty() && clause.comms.is_empty() && clause.cgroup_paths.is_empty();
    };
    let path = chunk.text(*cgroup_path);
    any_or_one(&clause.pids, |it| it == pid)
        && any_or_one(&clause.comms, |it| it == chunk.text(*comm))
        && any_or_one(&clause.cgroup_paths, |it| {
            !path.is_empty() && cgroup_is_below(path, it)
        })
}

/// Whether a mask of metrics can be told apart by bit.
const _: () = assert!(metric::TABLE.len() < 32);
