//! A run of samples in columns, with its own dictionary.

use std::sync::Arc;

/// A column that takes no memory until it holds something other than the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse<T> {
    values: Vec<T>,
}

impl<T: Copy + Default + PartialEq> Sparse<T> {
    /// Sets the entry of sample `at`, the last one.
    fn push(&mut self, at: usize, value: T) {
        if !self.values.is_empty() || value != T::default() {
            self.values.resize(at, T::default());
            self.values.push(value);
        }
    }

    /// The entry of sample `at`.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> T {
        self.values.get(at).copied().unwrap_or_default()
    }

    /// Nothing but defaults.
    pub(crate) fn is_default(&self) -> bool {
        self.values.is_empty()
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.values)
    }
}

/// A flow of a chunk's dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    /// IPv4: addresses are in the first four bytes.
    pub(crate) ipv4: bool,
    pub(crate) client_address: [u8; 16],
    pub(crate) server_address: [u8; 16],
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    pub(crate) direction: u8,
    pub(crate) protocol: u8,
    /// 1-based index into the texts.
    pub(crate) interface: u32,
    pub(crate) vlan_id: u16,
    pub(crate) measured_from_server: bool,
    pub(crate) opener_unknown: bool,
    pub(crate) ttl: u8,
    pub(crate) network_namespace: u64,
}

impl Flow {
    /// The significant bytes of an address of this flow.
    pub(crate) fn significant<'a>(&self, address: &'a [u8; 16]) -> &'a [u8] {
        if self.ipv4 { &address[..4] } else { address }
    }
}

/// A process of a chunk's dictionary; texts are 1-based indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) comm: u32,
    pub(crate) cgroup_id: u64,
    pub(crate) cgroup_path: u32,
    pub(crate) container_id: u32,
}

/// One sample against the dictionary of its chunk; indexes are 1-based, 0 = none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) time_unix_ns: u64,
    pub(crate) latency_ns: u64,
    pub(crate) metric: u8,
    pub(crate) quality: u32,
    pub(crate) probe: u32,
    pub(crate) retries: u32,
    pub(crate) result: i64,
    pub(crate) subject: u32,
    pub(crate) flow: u32,
    pub(crate) process: u32,
}

/// A run of samples. Entry i of every column describes sample `first_index + i`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    /// Index of the first sample in the session.
    pub(crate) first_index: u64,
    /// Bytes of all samples of the session before this chunk.
    pub(crate) bytes_before: u64,
    pub(crate) times: Vec<u64>,
    pub(crate) latencies: Vec<u64>,
    pub(crate) metrics: Vec<u8>,
    pub(crate) qualities: Sparse<u32>,
    pub(crate) probes: Sparse<u32>,
    pub(crate) retries: Sparse<u32>,
    pub(crate) results: Sparse<i64>,
    pub(crate) subject_ids: Sparse<u32>,
    pub(crate) flow_ids: Sparse<u32>,
    pub(crate) process_ids: Sparse<u32>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) processes: Vec<Process>,
    pub(crate) texts: Vec<Arc<str>>,
    text_bytes: usize,
    /// Earliest end event; `u64::MAX` when empty.
    pub(crate) earliest_ns: u64,
    /// Latest end event.
    pub(crate) latest_ns: u64,
}

/// What a chunk costs beside its contents.
const OVERHEAD: usize = 512;
/// What a text costs beside its bytes.
const TEXT_OVERHEAD: usize = 32;

impl Chunk {
    /// An empty chunk at a place in the session.
    pub(crate) fn starting(first_index: u64, bytes_before: u64) -> Self {
        Self {
            first_index,
            bytes_before,
            earliest_ns: u64::MAX,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// One beyond the index of the last sample.
    pub(crate) fn end_index(&self) -> u64 {
        self.first_index + self.len() as u64
    }

    /// Memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        OVERHEAD
            + self.len() * (size_of::<u64>() * 2 + 1)
            + self.qualities.bytes()
            + self.probes.bytes()
            + self.retries.bytes()
            + self.results.bytes()
            + self.subject_ids.bytes()
            + self.flow_ids.bytes()
            + self.process_ids.bytes()
            + size_of_val(&*self.flows)
            + size_of_val(&*self.processes)
            + self.texts.len() * TEXT_OVERHEAD
            + self.text_bytes
    }

    /// The text of a 1-based index; empty for 0.
    pub(crate) fn text(&self, id: u32) -> &str {
        id.checked_sub(1).map_or("", |at| &self.texts[at as usize])
    }

    pub(crate) fn push_text(&mut self, text: &str) -> u32 {
        self.text_bytes += text.len();
        self.texts.push(text.into());
        self.texts.len() as u32
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        let Entry {
            time_unix_ns,
            latency_ns,
            metric,
            quality,
            probe,
            retries,
            result,
            subject,
            flow,
            process,
        } = entry;
        let at = self.len();
        self.times.push(time_unix_ns);
        self.latencies.push(latency_ns);
        self.metrics.push(metric);
        self.qualities.push(at, quality);
        self.probes.push(at, probe);
        self.retries.push(at, retries);
        self.results.push(at, result);
        self.subject_ids.push(at, subject);
        self.flow_ids.push(at, flow);
        self.process_ids.push(at, process);
        self.earliest_ns = self.earliest_ns.min(time_unix_ns);
        self.latest_ns = self.latest_ns.max(time_unix_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_column_is_free_until_it_is_used() {
        let mut column = Sparse::<u32>::default();
        column.push(0, 0);
        column.push(1, 0);
        assert!(column.is_default());
        column.push(2, 7);
        column.push(3, 0);
        assert_eq!(
            (0..5).map(|at| column.get(at)).collect::<Vec<_>>(),
            [0, 0, 7, 0, 0]
        );
        assert_eq!(column.bytes(), 16);
    }
}
