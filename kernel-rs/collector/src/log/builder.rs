//! The chunk that is being written, and the maps that find what its dictionary holds.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::chunk::{Chunk, Entry, Flow, Process};
use crate::{
    sample::{FlowView, ProcessView, Sample},
    text,
};

/// Most samples of one chunk.
const SAMPLES_MAX: usize = 4096;

/// Writes a chunk. Readers share it while it grows: it is copied only if one still holds it when the next batch comes.
#[derive(Debug)]
pub(super) struct Builder {
    chunk: Arc<Chunk>,
    bytes_max: usize,
    texts: FxHashMap<Box<[u8]>, u32>,
    flows: FxHashMap<Flow, u32>,
    processes: FxHashMap<Process, u32>,
}

impl Builder {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            chunk: Arc::new(Chunk::starting(0, 0)),
            bytes_max,
            texts: FxHashMap::default(),
            flows: FxHashMap::default(),
            processes: FxHashMap::default(),
        }
    }

    pub(super) fn chunk(&self) -> &Arc<Chunk> {
        &self.chunk
    }

    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    pub(super) fn is_full(&self) -> bool {
        self.chunk.len() >= SAMPLES_MAX || self.chunk.bytes() >= self.bytes_max
    }

    /// Hands the chunk over and begins the next.
    pub(super) fn seal(&mut self) -> Arc<Chunk> {
        let next = Chunk::starting(
            self.chunk.end_index(),
            self.chunk.bytes_before + self.chunk.bytes() as u64,
        );
        self.texts.clear();
        self.flows.clear();
        self.processes.clear();
        std::mem::replace(&mut self.chunk, Arc::new(next))
    }

    pub(super) fn push(&mut self, sample: &Sample<'_>) {
        let Self {
            chunk,
            texts,
            flows,
            processes,
            ..
        } = self;
        let chunk = Arc::make_mut(chunk);
        let entry = Entry {
            time_unix_ns: sample.time_unix_ns,
            latency_ns: sample.latency_ns,
            metric: sample.metric as u8,
            quality: sample.quality,
            probe: sample.probe,
            retries: sample.retries,
            result: sample.result,
            subject: text_id(chunk, texts, sample.subject),
            flow: sample
                .flow
                .map_or(0, |view| flow_id(chunk, texts, flows, &view)),
            process: sample
                .process
                .map_or(0, |view| process_id(chunk, texts, processes, &view)),
        };
        chunk.push(entry);
    }
}

fn text_id(chunk: &mut Chunk, texts: &mut FxHashMap<Box<[u8]>, u32>, bytes: &[u8]) -> u32 {
    if bytes.is_empty() {
        return 0;
    }
    if let Some(id) = texts.get(bytes) {
        return *id;
    }
    let id = chunk.push_text(&text::escape(bytes));
    texts.insert(bytes.into(), id);
    id
}

fn flow_id(
    chunk: &mut Chunk,
    texts: &mut FxHashMap<Box<[u8]>, u32>,
    flows: &mut FxHashMap<Flow, u32>,
    view: &FlowView<'_>,
) -> u32 {
    let flow = Flow {
        ipv4: view.ipv4,
        client_address: view.client_address,
        server_address: view.server_address,
        client_port: view.client_port,
        server_port: view.server_port,
        direction: view.direction as u8,
        protocol: view.protocol as u8,
        interface: text_id(chunk, texts, view.interface),
        vlan_id: view.vlan_id,
        measured_from_server: view.measured_from_server,
        opener_unknown: view.opener_unknown,
        ttl: view.ttl,
        network_namespace: view.network_namespace,
    };
    *flows.entry(flow).or_insert_with(|| {
        chunk.flows.push(flow);
        chunk.flows.len() as u32
    })
}

fn process_id(
    chunk: &mut Chunk,
    texts: &mut FxHashMap<Box<[u8]>, u32>,
    processes: &mut FxHashMap<Process, u32>,
    view: &ProcessView<'_>,
) -> u32 {
    let process = Process {
        pid: view.pid,
        tid: view.tid,
        comm: text_id(chunk, texts, view.comm),
        cgroup_id: view.cgroup_id,
        cgroup_path: text_id(chunk, texts, view.cgroup_path),
        container_id: text_id(chunk, texts, view.container_id),
    };
    *processes.entry(process).or_insert_with(|| {
        chunk.processes.push(process);
        chunk.processes.len() as u32
    })
}
