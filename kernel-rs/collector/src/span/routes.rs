//! Where samples go, and the names of what they only number.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use latscope_events::{SESSIONS, span::sample::SpanSample};

use super::{
    subject,
    task::cgroup::{Place, Places},
};
use crate::{
    log::SessionLog,
    proto::Metric,
    ring,
    sample::{ProcessView, Sample},
};

/// Who gets the samples of a lane.
pub(super) struct Receiver {
    pub(super) log: Arc<SessionLog>,
    /// Index in `spec.probes`.
    pub(super) probe: u32,
    /// Faster latencies give no individual sample.
    pub(super) min_latency_ns: AtomicU64,
    /// How many were faster.
    pub(super) faster: AtomicU64,
}

/// What the engine changes and the reader reads.
pub(super) struct Routes {
    /// Receiver of each bit.
    pub(super) receivers: [Option<Arc<Receiver>>; SESSIONS],
    places: Arc<Places>,
}

impl Routes {
    /// Nobody gets anything.
    pub(super) fn new(places: Arc<Places>) -> Self {
        Self {
            receivers: [const { None }; SESSIONS],
            places,
        }
    }
}

/// A record with its names.
struct Named<'a> {
    record: &'a SpanSample,
    comm: [u8; 16],
    subject: Cow<'static, str>,
    place: Arc<Place>,
}

impl ring::Routes for Routes {
    type Record = SpanSample;

    fn read(bytes: &[u8]) -> Option<SpanSample> {
        if bytes.len() != size_of::<SpanSample>() {
            return None;
        }
        // SAFETY: as long as the type, which is valid for every bit pattern.
        Some(unsafe { bytes.as_ptr().cast::<SpanSample>().read_unaligned() })
    }

    fn time_ns(record: &SpanSample) -> u64 {
        record.time_ns
    }

    fn deliver(&self, batch: &[SpanSample], offset: u64) {
        let mut places = HashMap::new();
        let named: Vec<Named<'_>> = batch
            .iter()
            .map(|record| Named {
                record,
                comm: comm_bytes(record.task.comm),
                subject: subject::name(metric(record), record.subject),
                place: places
                    .entry(record.task.cgroup)
                    .or_insert_with_key(|id| self.places.of(*id))
                    .clone(),
            })
            .collect();
        let mut bits = batch.iter().fold(0, |bits, record| bits | record.lanes);
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            if let Some(receiver) = &self.receivers[bit as usize] {
                receiver.take(&named, bit, offset);
            }
        }
    }

    fn logs(&self) -> impl Iterator<Item = &SessionLog> {
        self.receivers.iter().flatten().map(|it| &*it.log)
    }
}

impl Receiver {
    fn take(&self, named: &[Named<'_>], bit: u32, offset: u64) {
        let least = self.min_latency_ns.load(Ordering::Relaxed);
        let mine = || named.iter().filter(|it| it.record.lanes >> bit & 1 != 0);
        let faster = mine().filter(|it| it.record.latency_ns < least).count();
        self.faster.fetch_add(faster as u64, Ordering::Relaxed);
        self.log.append(
            mine()
                .filter(|it| it.record.latency_ns >= least)
                .map(|it| it.sample(self.probe, offset)),
        );
    }
}

impl Named<'_> {
    fn sample(&self, probe: u32, offset: u64) -> Sample<'_> {
        let Self {
            record,
            comm,
            subject,
            place,
        } = self;
        Sample {
            time_unix_ns: record.time_ns.wrapping_add(offset),
            latency_ns: record.latency_ns,
            metric: metric(record),
            quality: 0,
            probe,
            retries: 0,
            result: i64::from(record.result),
            subject: subject.as_bytes(),
            flow: None,
            process: (record.task.tid != 0 || record.task.comm[0] != 0).then(|| ProcessView {
                pid: record.task.pid,
                tid: record.task.tid,
                comm: until_nul(comm),
                cgroup_id: record.task.cgroup,
                cgroup_path: &place.path,
                container_id: &place.container,
            }),
        }
    }
}

fn metric(record: &SpanSample) -> Metric {
    Metric::try_from(record.metric as i32).unwrap_or(Metric::Unspecified)
}

/// The name of a task out of the words that the programs keep it in.
pub(super) fn comm_bytes(words: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&words[0].to_ne_bytes());
    bytes[8..].copy_from_slice(&words[1].to_ne_bytes());
    bytes
}

/// A name without what is behind its end.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
