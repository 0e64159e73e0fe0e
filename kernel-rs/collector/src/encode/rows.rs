//! `SampleRows`: one message a sample, readable everywhere.

use std::{io::Write as _, ops::Range};

use super::{
    source::Source,
    wire::{Wire, varint_len},
};
use crate::{
    log::chunk::{Chunk, Flow, Process},
    text,
};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Encodes samples until the payload would be more than `bytes_max`; the payload, and how many were taken.
pub(super) fn encode(
    source: &impl Source,
    positions: impl Iterator<Item = usize>,
    weight: u32,
    bytes_max: usize,
) -> (Vec<u8>, usize) {
    let (chunk, all_flows, all_processes) = (source.chunk(), source.flows(), source.processes());
    let mut rows = Vec::with_capacity(bytes_max.min(1 << 16));
    let mut row = Vec::with_capacity(256);
    let mut flows = Parts::new(all_flows.len());
    let mut processes = Parts::new(all_processes.len());
    let mut taken = 0;
    for at in positions {
        row.clear();
        put_span(&mut row, 1, chunk.times[at]);
        put_span(&mut row, 2, chunk.latencies[at]);
        row.put_uint(3, u64::from(chunk.metrics[at]));
        if weight > 1 {
            row.put_uint(4, u64::from(weight));
        }
        put_qualities(&mut row, chunk.qualities.get(at));
        if let Some(flow) = source.flow_id(at).checked_sub(1) {
            let bytes = flows.get(flow, |buffer| {
                put_flow(buffer, chunk, &all_flows[flow as usize]);
            });
            row.put_length(6, bytes.len());
            row.extend_from_slice(bytes);
        }
        if let Some(process) = source.process_id(at).checked_sub(1) {
            let bytes = processes.get(process, |buffer| {
                put_process(buffer, chunk, &all_processes[process as usize]);
            });
            row.put_length(7, bytes.len());
            row.extend_from_slice(bytes);
        }
        row.put_bytes(8, chunk.text(source.subject_id(at)).as_bytes());
        row.put_uint(9, super::wire::zigzag(chunk.results.get(at)));
        row.put_uint(10, u64::from(chunk.probes.get(at)));
        row.put_uint(11, u64::from(chunk.retries.get(at)));
        if taken > 0 && rows.len() + 1 + varint_len(row.len() as u64) + row.len() > bytes_max {
            break;
        }
        rows.put_length(1, row.len());
        rows.extend_from_slice(&row);
        taken += 1;
    }
    (rows, taken)
}

/// Encoded parts that many samples share.
struct Parts {
    places: Vec<Option<Range<usize>>>,
    bytes: Vec<u8>,
}

impl Parts {
    fn new(length: usize) -> Self {
        Self {
            places: vec![None; length],
            bytes: Vec::new(),
        }
    }

    fn get(&mut self, at: u32, encode: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        let Self { places, bytes } = self;
        let place = places[at as usize].get_or_insert_with(|| {
            let start = bytes.len();
            encode(bytes);
            start..bytes.len()
        });
        &bytes[place.clone()]
    }
}

/// A `Timestamp` or a `Duration`, which have the same fields.
fn put_span(row: &mut Vec<u8>, field: u32, nanoseconds: u64) {
    let (seconds, nanos) = (
        nanoseconds / NANOS_PER_SECOND,
        nanoseconds % NANOS_PER_SECOND,
    );
    let number_len = |value: u64| if value == 0 { 0 } else { 1 + varint_len(value) };
    row.put_length(field, number_len(seconds) + number_len(nanos));
    row.put_uint(1, seconds);
    row.put_uint(2, nanos);
}

fn put_qualities(row: &mut Vec<u8>, mask: u32) {
    if mask != 0 {
        row.put_length(5, mask.count_ones() as usize);
        let mut rest = mask;
        while rest != 0 {
            row.push(rest.trailing_zeros() as u8);
            rest &= rest - 1;
        }
    }
}

fn put_flow(buffer: &mut Vec<u8>, chunk: &Chunk, flow: &Flow) {
    let Flow {
        ipv4,
        client_address,
        server_address,
        client_port,
        server_port,
        direction,
        protocol,
        interface,
        vlan_id,
        measured_from_server,
        opener_unknown,
        ttl,
        network_namespace,
    } = flow;
    put_address(buffer, 1, *ipv4, client_address);
    buffer.put_uint(2, u64::from(*client_port));
    put_address(buffer, 3, *ipv4, server_address);
    buffer.put_uint(4, u64::from(*server_port));
    buffer.put_uint(5, u64::from(*direction));
    buffer.put_bytes(6, chunk.text(*interface).as_bytes());
    buffer.put_uint(7, u64::from(*vlan_id));
    buffer.put_uint(8, u64::from(*measured_from_server));
    buffer.put_uint(9, u64::from(*protocol));
    buffer.put_uint(10, *network_namespace);
    buffer.put_uint(11, u64::from(*opener_unknown));
    buffer.put_uint(12, u64::from(*ttl));
}

fn put_address(buffer: &mut Vec<u8>, field: u32, ipv4: bool, address: &[u8; 16]) {
    // The longest text of an address has 45 characters.
    let mut text = [0; 64];
    let mut rest = &mut text[..];
    write!(rest, "{}", text::address(ipv4, address)).expect("an address fits");
    let length = 64 - rest.len();
    buffer.put_bytes(field, &text[..length]);
}

/// A `Process`, which columns hold in the same form.
pub(super) fn put_process(buffer: &mut Vec<u8>, chunk: &Chunk, process: &Process) {
    let Process {
        pid,
        tid,
        comm,
        cgroup_id,
        cgroup_path,
        container_id,
    } = process;
    buffer.put_uint(1, u64::from(*pid));
    buffer.put_uint(2, u64::from(*tid));
    buffer.put_bytes(3, chunk.text(*comm).as_bytes());
    buffer.put_uint(4, *cgroup_id);
    buffer.put_bytes(5, chunk.text(*cgroup_path).as_bytes());
    buffer.put_bytes(6, chunk.text(*container_id).as_bytes());
}
