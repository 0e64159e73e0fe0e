//! Where the reader puts the samples of a session.

use std::sync::{Arc, atomic::AtomicU64};

use latscope_events::metric::PACKET_METRICS;

use crate::{log::SessionLog, spec::compiled::CompiledSpec};

/// A session's end of the ring.
pub(crate) struct Receiver {
    /// Where its samples go.
    pub(crate) log: Arc<SessionLog>,
    /// Inode of the network namespace that it is of; 0 = the service's own.
    pub(crate) network_namespace: u64,
    /// Index in `spec.probes` by metric.
    pub(crate) probe: [u32; PACKET_METRICS],
    /// Faster latencies give no individual sample.
    pub(crate) min_latency_ns: AtomicU64,
    /// How many were faster.
    pub(crate) faster: AtomicU64,
}

impl Receiver {
    /// That of a session which has received nothing.
    pub(crate) fn new(spec: &CompiledSpec, log: Arc<SessionLog>, network_namespace: u64) -> Self {
        let mut probe = [0; PACKET_METRICS];
        for it in spec.probes.iter().rev() {
            for (metric, place) in probe.iter_mut().enumerate() {
                if it.metrics >> metric & 1 != 0 {
                    *place = it.index;
                }
            }
        }
        Self {
            log,
            network_namespace,
            probe,
            min_latency_ns: AtomicU64::new(spec.collection.sample_min_latency_ns),
            faster: AtomicU64::new(0),
        }
    }
}
