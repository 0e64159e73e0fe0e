//! `SampleColumns`: one array a field, for machines.

use rustc_hash::FxHashMap;

use super::{
    rows::put_process,
    source::Source,
    wire::{Wire, varint_len, zigzag},
};
use crate::log::chunk::{Flow, Process};

/// Number and length in front of an array or an entry of the dictionary, at most.
const FRAME: usize = 6;
/// Arrays of `SampleColumns` and `FlowColumns` together.
const ARRAYS: usize = 27;
/// A flow beside its addresses and its network namespace, at most.
const FLOW_NUMBERS: usize = 5 + 3 + 5 + 3 + 1 + 5 + 3 + 1 + 2 + 1 + 2;
/// A process beside its texts, at most.
const PROCESS_NUMBERS: usize = 6 + 6 + 11;

/// Encodes samples until the payload might be more than `bytes_max`; the payload, and how many were taken.
pub(super) fn encode(
    source: &impl Source,
    positions: impl Iterator<Item = usize> + Clone,
    weight: u32,
    bytes_max: usize,
) -> (Vec<u8>, usize) {
    let chunk = source.chunk();
    let mut dictionary = Dictionary::new(source);
    let (taken, bytes) = dictionary.collect(positions.clone(), weight, bytes_max);
    let positions = positions.take(taken);
    let base = positions.clone().next().map_or(0, |at| chunk.times[at]);
    let mut columns = Vec::with_capacity(bytes);
    columns.put_fixed64(1, base);
    let mut before = base;
    put_array(
        &mut columns,
        2,
        positions
            .clone()
            .map(|at| chunk.times[at])
            .map(move |time| {
                let delta = zigzag(time.wrapping_sub(before) as i64);
                before = time;
                delta
            }),
    );
    put_array(
        &mut columns,
        3,
        positions.clone().map(|at| chunk.latencies[at]),
    );
    put_array(
        &mut columns,
        4,
        positions.clone().map(|at| u64::from(chunk.metrics[at])),
    );
    put_sparse(&mut columns, &dictionary, &positions, weight);
    (columns, taken)
}

/// The arrays that most chunks do not need, and between them the dictionary: fields are in the order of their numbers.
fn put_sparse(
    columns: &mut Vec<u8>,
    dictionary: &Dictionary<'_, impl Source>,
    positions: &(impl Iterator<Item = usize> + Clone),
    weight: u32,
) {
    let Dictionary {
        source,
        flows,
        processes,
        texts,
    } = dictionary;
    let chunk = source.chunk();
    let positions = || positions.clone();
    if !chunk.flow_ids.is_default() {
        put_array(
            columns,
            5,
            positions().map(|at| flows.renumbered(source.flow_id(at))),
        );
    }
    if !chunk.process_ids.is_default() {
        put_array(
            columns,
            6,
            positions().map(|at| processes.renumbered(source.process_id(at))),
        );
    }
    if !chunk.subject_ids.is_default() {
        put_array(
            columns,
            7,
            positions().map(|at| texts.renumbered(source.subject_id(at))),
        );
    }
    if !chunk.qualities.is_default() {
        put_array(
            columns,
            8,
            positions().map(|at| u64::from(chunk.qualities.get(at))),
        );
    }
    if weight > 1 {
        put_array(columns, 9, positions().map(|_| u64::from(weight)));
    }
    if !chunk.results.is_default() {
        put_array(
            columns,
            10,
            positions().map(|at| zigzag(chunk.results.get(at))),
        );
    }
    dictionary.put(columns);
    if !chunk.probes.is_default() {
        put_array(
            columns,
            14,
            positions().map(|at| u64::from(chunk.probes.get(at))),
        );
    }
    if !chunk.retries.is_default() {
        put_array(
            columns,
            15,
            positions().map(|at| u64::from(chunk.retries.get(at))),
        );
    }
}

/// A packed array, unless it holds nothing but 0.
fn put_array(message: &mut Vec<u8>, field: u32, values: impl Iterator<Item = u64> + Clone) {
    let (length, any) = values.clone().fold((0, 0), |(length, any), value| {
        (length + varint_len(value), any | value)
    });
    if any != 0 {
        message.put_length(field, length);
        values.for_each(|value| message.put_varint(value));
    }
}

/// New numbers, from 1, in the order of first use.
struct Numbering {
    new: Vec<u32>,
    used: Vec<u32>,
}

impl Numbering {
    fn of(length: usize) -> Self {
        Self {
            new: vec![0; length + 1],
            used: Vec::new(),
        }
    }

    /// Notes the use of a 1-based index; whether it is the first. 0 is none and never noted.
    fn note(&mut self, id: u32) -> bool {
        let new = &mut self.new[id as usize];
        if id == 0 || *new != 0 {
            return false;
        }
        self.used.push(id);
        *new = self.used.len() as u32;
        true
    }

    fn renumbered(&self, id: u32) -> u64 {
        u64::from(self.new[id as usize])
    }

    /// Forgets all but the first `length`.
    fn truncate(&mut self, length: usize) {
        for id in self.used.drain(length..) {
            self.new[id as usize] = 0;
        }
    }
}

/// What the samples of one message refer to.
struct Dictionary<'a, S> {
    source: &'a S,
    flows: Numbering,
    processes: Numbering,
    texts: Numbering,
}

impl<'a, S: Source> Dictionary<'a, S> {
    fn new(source: &'a S) -> Self {
        Self {
            source,
            flows: Numbering::of(source.flows().len()),
            processes: Numbering::of(source.processes().len()),
            texts: Numbering::of(source.chunk().texts.len()),
        }
    }

    /// How many of the samples fit, and a bound of their size.
    fn collect(
        &mut self,
        positions: impl Iterator<Item = usize>,
        weight: u32,
        bytes_max: usize,
    ) -> (usize, usize) {
        let chunk = self.source.chunk();
        let mut bytes = 9 + ARRAYS * FRAME;
        let mut before = None;
        let mut taken = 0;
        for at in positions {
            let used = (
                self.flows.used.len(),
                self.processes.used.len(),
                self.texts.used.len(),
            );
            let time = chunk.times[at];
            let delta = time.wrapping_sub(before.unwrap_or(time)) as i64;
            let more = varint_len(zigzag(delta))
                + varint_len(chunk.latencies[at])
                + 1
                + varint_len(u64::from(chunk.qualities.get(at)))
                + varint_len(zigzag(chunk.results.get(at)))
                + varint_len(u64::from(chunk.probes.get(at)))
                + varint_len(u64::from(chunk.retries.get(at)))
                + varint_len(u64::from(weight))
                + self.note_references(at);
            if taken > 0 && bytes + more > bytes_max {
                self.flows.truncate(used.0);
                self.processes.truncate(used.1);
                self.texts.truncate(used.2);
                break;
            }
            bytes += more;
            before = Some(time);
            taken += 1;
        }
        (taken, bytes)
    }

    /// Notes what a sample refers to; a bound of what that adds.
    fn note_references(&mut self, at: usize) -> usize {
        let Self {
            source,
            flows,
            processes,
            texts,
        } = self;
        let chunk = source.chunk();
        let (flow, process, subject) = (
            source.flow_id(at),
            source.process_id(at),
            source.subject_id(at),
        );
        let mut bytes = 0;
        if texts.note(subject) {
            bytes += FRAME + chunk.text(subject).len();
        }
        if flows.note(flow) {
            let Flow {
                ipv4,
                interface,
                network_namespace,
                ..
            } = source.flows()[flow as usize - 1];
            bytes +=
                FLOW_NUMBERS + varint_len(network_namespace) + 2 * (2 + if ipv4 { 4 } else { 16 });
            if texts.note(interface) {
                bytes += FRAME + chunk.text(interface).len();
            }
        }
        if processes.note(process) {
            let Process {
                comm,
                cgroup_path,
                container_id,
                ..
            } = source.processes()[process as usize - 1];
            bytes += FRAME + PROCESS_NUMBERS;
            bytes += [comm, cgroup_path, container_id]
                .iter()
                .map(|id| FRAME + chunk.text(*id).len())
                .sum::<usize>();
        }
        bytes
            + varint_len(flows.renumbered(flow))
            + varint_len(processes.renumbered(process))
            + varint_len(texts.renumbered(subject))
    }

    fn put(&self, columns: &mut Vec<u8>) {
        let Self {
            source,
            flows,
            processes,
            texts,
        } = self;
        let chunk = source.chunk();
        if !flows.used.is_empty() {
            let flows = self.flow_columns();
            columns.put_length(11, flows.len());
            columns.extend_from_slice(&flows);
        }
        let mut buffer = Vec::new();
        for id in &processes.used {
            buffer.clear();
            put_process(&mut buffer, chunk, &source.processes()[*id as usize - 1]);
            columns.put_length(12, buffer.len());
            columns.extend_from_slice(&buffer);
        }
        for id in &texts.used {
            columns.put_bytes(13, chunk.text(*id).as_bytes());
        }
    }

    fn flow_columns(&self) -> Vec<u8> {
        let mut columns = Vec::new();
        let mut addresses = FxHashMap::default();
        let mut number = |flow: &Flow, address: &[u8; 16]| {
            let next = addresses.len() as u64;
            *addresses.entry((flow.ipv4, *address)).or_insert_with(|| {
                columns.put_bytes(1, flow.significant(address));
                next
            })
        };
        let sides = self.used_flows().map(|it| {
            [
                number(it, &it.client_address),
                number(it, &it.server_address),
            ]
        });
        let sides = sides.collect::<Vec<_>>();
        put_array(&mut columns, 2, sides.iter().map(|it| it[0]));
        put_array(
            &mut columns,
            3,
            self.used_flows().map(|it| u64::from(it.client_port)),
        );
        put_array(&mut columns, 4, sides.iter().map(|it| it[1]));
        put_array(
            &mut columns,
            5,
            self.used_flows().map(|it| u64::from(it.server_port)),
        );
        put_array(
            &mut columns,
            6,
            self.used_flows().map(|it| u64::from(it.direction)),
        );
        put_array(
            &mut columns,
            7,
            self.used_flows()
                .map(|it| self.texts.renumbered(it.interface)),
        );
        put_array(
            &mut columns,
            8,
            self.used_flows().map(|it| u64::from(it.vlan_id)),
        );
        put_array(
            &mut columns,
            9,
            self.used_flows()
                .map(|it| u64::from(it.measured_from_server)),
        );
        put_array(
            &mut columns,
            10,
            self.used_flows().map(|it| u64::from(it.protocol)),
        );
        put_array(
            &mut columns,
            11,
            self.used_flows().map(|it| it.network_namespace),
        );
        put_array(
            &mut columns,
            12,
            self.used_flows().map(|it| u64::from(it.opener_unknown)),
        );
        put_array(
            &mut columns,
            13,
            self.used_flows().map(|it| u64::from(it.ttl)),
        );
        columns
    }

    fn used_flows(&self) -> impl Iterator<Item = &Flow> + Clone {
        self.flows
            .used
            .iter()
            .map(|id| &self.source.flows()[*id as usize - 1])
    }
}
