//! An engine that makes samples up, to measure what comes after the kernel. Only in builds with the feature `synthetic`.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use super::{Attachment, Engine, hostile::Hostile, refused};
use crate::{
    failure::{Failure, Reason},
    histogram::{Histogram, group},
    log::SessionLog,
    proto::{
        Capability, Direction, Group, IpProtocol, Loss, LossStage, Metric, ProbeStatus,
        ProgramStats, Quality, Totals,
    },
    sample::{FlowView, Sample, quality_bit},
    spec::{CompiledSpec, compiled::Collection},
};

/// How often a producer adds what is due.
const TICK: Duration = Duration::from_millis(5);
/// Time between two samples that are made before the start.
const PREFILL_STEP_NS: u64 = 150_000;
/// Of its histograms: eight buckets from a power of two to the next.
const SCALE: i32 = 3;

/// Produces TCP round trips at a steady rate.
#[derive(Clone, Copy, Debug)]
pub struct Synthetic {
    /// Samples that a session has from its start on.
    pub prefill: u64,
    /// Samples a second after that.
    pub per_second: u64,
    /// Different flows.
    pub flows: u16,
    /// A seed: every string is as bad as a kernel or a wire could make it.
    pub hostile: Option<u64>,
    /// One sample in so many is lost, as by a full ring; 0 = none.
    pub lose: u64,
    /// Sessions are refused with the failure of a program that the verifier refuses.
    pub refuse: bool,
}

/// What became of the samples made so far.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    count: u64,
    lost: u64,
    /// Too fast to be told each.
    withheld: u64,
}

impl Synthetic {
    /// Reads `prefill=N,per_second=N,flows=N,hostile=SEED,lose=N,refuse=1`, with defaults of 0, 0 and 16, good strings, nothing lost and
    /// nothing refused.
    ///
    /// # Errors
    /// `FIELD_INVALID` for anything else.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut synthetic = Self {
            prefill: 0,
            per_second: 0,
            flows: 16,
            hostile: None,
            lose: 0,
            refuse: false,
        };
        for pair in text.split(',').filter(|it| !it.is_empty()) {
            let wrong = || {
                Failure::field(
                    Reason::FieldInvalid,
                    "synthetic",
                    format!("{pair:?} is not name=number"),
                )
            };
            let (name, number) = pair.split_once('=').ok_or_else(wrong)?;
            let number = number.parse::<u64>().map_err(|_| wrong())?;
            match name {
                "prefill" => synthetic.prefill = number,
                "per_second" => synthetic.per_second = number,
                "flows" => synthetic.flows = number.clamp(1, u64::from(u16::MAX)) as u16,
                "hostile" => synthetic.hostile = Some(number),
                "lose" => synthetic.lose = number,
                "refuse" => synthetic.refuse = number != 0,
                _ => return Err(wrong()),
            }
        }
        Ok(synthetic)
    }

    /// Makes samples up to the `due`-th, the first of them at a time, each so much later than the one before.
    fn make(
        &self,
        log: &SessionLog,
        made: &mut Made,
        due: u64,
        (unix_ns, step_ns): (u64, u64),
        least_ns: u64,
    ) {
        let hostile = self.hostile.map(Hostile::new);
        let first = made.count;
        let (mut lost, mut withheld) = (0, 0);
        let told = (first..due).filter(|index| {
            if self.lose > 0 && index.is_multiple_of(self.lose) {
                lost += 1;
                return false;
            }
            let slow = latency_ns(*index) >= least_ns;
            withheld += u64::from(!slow);
            slow
        });
        log.append(told.map(|index| {
            let time_unix_ns = unix_ns + (index - first) * step_ns;
            let sample = sample(self.flow_of(index), latency_ns(index), time_unix_ns);
            match &hostile {
                Some(hostile) => hostile.spoil(sample, index),
                None => sample,
            }
        }));
        log.loss(LossStage::KernelRingFull, lost, unix_ns, unix_ns);
        *made = Made {
            count: due.max(first),
            lost: made.lost + lost,
            withheld: made.withheld + withheld,
        };
    }

    fn flow_of(&self, index: u64) -> u16 {
        (index % u64::from(self.flows)) as u16
    }
}

fn latency_ns(index: u64) -> u64 {
    50_000 + index.wrapping_mul(7_919) % 2_000_000
}

fn sample(number: u16, latency_ns: u64, time_unix_ns: u64) -> Sample<'static> {
    Sample {
        time_unix_ns,
        latency_ns,
        metric: Metric::TcpRtt,
        quality: quality_bit(Quality::SequenceMatched),
        probe: 0,
        retries: 0,
        result: 0,
        subject: b"",
        flow: Some(flow(number)),
        process: None,
    }
}

fn flow(number: u16) -> FlowView<'static> {
    let address = |last: u8, low: u8| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[10, last, low, 1]);
        bytes
    };
    FlowView {
        ipv4: true,
        client_address: address(0, (number >> 8) as u8),
        server_address: address(1, number as u8),
        client_port: 32_768 + number % 16_384,
        server_port: 443,
        direction: Direction::Outbound,
        protocol: IpProtocol::Tcp,
        interface: b"synthetic0",
        vlan_id: 0,
        measured_from_server: true,
        network_namespace: 0,
        opener_unknown: false,
        ttl: 64,
    }
}

impl Engine for Synthetic {
    fn capabilities(&self) -> Vec<Capability> {
        vec![Capability {
            metric: Metric::TcpRtt as i32,
            supported: true,
            hook: "synthetic".into(),
            ..Capability::default()
        }]
    }

    fn check(&self, _spec: &CompiledSpec) -> Result<(), Failure> {
        Ok(())
    }

    fn load(&self, _spec: &CompiledSpec) -> Result<Vec<ProgramStats>, Failure> {
        if self.refuse {
            refused::load()?;
        }
        Ok(Vec::new())
    }

    fn start(
        &self,
        spec: &CompiledSpec,
        log: Arc<SessionLog>,
    ) -> Result<Box<dyn Attachment>, Failure> {
        self.load(spec)?;
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos() as u64;
        let from = unix.saturating_sub(self.prefill * PREFILL_STEP_NS);
        let histograms_only = spec.collection.histograms_only;
        let least_ns = if histograms_only {
            u64::MAX
        } else {
            spec.collection.sample_min_latency_ns
        };
        let mut made = Made::default();
        self.make(
            &log,
            &mut made,
            self.prefill,
            (from, PREFILL_STEP_NS),
            least_ns,
        );
        let made = Arc::new(Mutex::new(made));
        let least = Arc::new(AtomicU64::new(least_ns));
        let counted = Counted::new(*self, &spec.collection);
        let (stop, stopped) = mpsc::channel();
        let thread = (self.per_second > 0).then(|| {
            let (synthetic, made, least) = (*self, made.clone(), least.clone());
            thread::spawn(move || {
                let start = Instant::now();
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    let elapsed = start.elapsed();
                    let due = synthetic.prefill
                        + (u128::from(synthetic.per_second) * elapsed.as_nanos() / 1_000_000_000)
                            as u64;
                    let unix_ns = unix + elapsed.as_nanos() as u64;
                    let least_ns = least.load(Ordering::Relaxed);
                    synthetic.make(&log, &mut made.lock(), due, (unix_ns, 0), least_ns);
                    log.set_watermark(0, unix_ns);
                }
            })
        });
        let probes = spec.probes.iter().map(|it| it.index).collect();
        Ok(Box::new(Producer {
            made,
            least_ns: least,
            counted: Mutex::new(counted),
            histograms_only,
            probes,
            thread: thread.map(|it| (stop, it)),
        }))
    }
}

/// What the samples so far come to, by group. Samples follow from their index, so that they are counted when somebody asks.
struct Counted {
    synthetic: Synthetic,
    collection: Collection,
    /// Index of the next sample to count.
    next: u64,
    groups: HashMap<Group, Histogram>,
}

impl Counted {
    fn new(synthetic: Synthetic, collection: &Collection) -> Self {
        Self {
            synthetic,
            collection: collection.clone(),
            next: 0,
            groups: HashMap::new(),
        }
    }

    fn count_to(&mut self, made: u64) {
        let Self {
            synthetic,
            collection,
            next,
            groups,
        } = self;
        let flows = u64::from(synthetic.flows);
        for first in *next..made.min(*next + flows) {
            let group = group::of(&sample(synthetic.flow_of(first), 0, 0), collection);
            let histogram = groups.entry(group).or_insert_with(|| Histogram::new(SCALE));
            for index in (first..made).step_by(usize::from(synthetic.flows)) {
                histogram.record(latency_ns(index));
            }
        }
        *next = made;
    }
}

/// One session's producer.
struct Producer {
    made: Arc<Mutex<Made>>,
    least_ns: Arc<AtomicU64>,
    counted: Mutex<Counted>,
    histograms_only: bool,
    probes: Vec<u32>,
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Attachment for Producer {
    fn update(&mut self, spec: &CompiledSpec) -> Result<(), Failure> {
        if spec.collection.histograms_only != self.histograms_only {
            return Err(Failure::field(
                Reason::FieldInvalid,
                "spec.collection.histograms_only",
                "is fixed at creation here",
            ));
        }
        let mut counted = self.counted.lock();
        counted.count_to(self.made.lock().count);
        counted.collection = spec.collection.clone();
        if !self.histograms_only {
            let least_ns = spec.collection.sample_min_latency_ns;
            self.least_ns.store(least_ns, Ordering::Relaxed);
        }
        Ok(())
    }

    fn totals(&self) -> Totals {
        let Made {
            count,
            lost,
            withheld,
        } = *self.made.lock();
        let loss = (lost > 0).then(|| Loss {
            stage: LossStage::KernelRingFull.into(),
            count: lost,
            ..Loss::default()
        });
        Totals {
            measured: count,
            aggregated_only: withheld,
            losses: loss.into_iter().collect(),
            ..Totals::default()
        }
    }

    fn histograms(&self) -> Result<Vec<(Group, Histogram)>, Failure> {
        let made = self.made.lock().count;
        let mut counted = self.counted.lock();
        counted.count_to(made);
        let groups = counted.groups.iter();
        Ok(groups.map(|it| (it.0.clone(), it.1.clone())).collect())
    }

    fn programs(&self) -> Vec<ProgramStats> {
        Vec::new()
    }

    fn kernel_memory_bytes(&self) -> u64 {
        0
    }

    fn probes(&self) -> Vec<ProbeStatus> {
        let attached = |probe: &u32| ProbeStatus {
            probe: *probe,
            attached: true,
            ..ProbeStatus::default()
        };
        self.probes.iter().map(attached).collect()
    }

    fn stop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            drop(thread.join());
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        proto::{Probe, SessionSpec, TcpProbe, probe::Kind},
        spec, testing,
    };

    #[test]
    fn histograms_count_every_sample_that_was_made() {
        let synthetic = Synthetic {
            prefill: 1001,
            per_second: 0,
            flows: 3,
            hostile: None,
            lose: 10,
            refuse: false,
        };
        let spec = SessionSpec {
            probes: vec![Probe {
                kind: Some(Kind::Tcp(TcpProbe::default())),
                timeout: None,
            }],
            collection: Some(crate::proto::Collection {
                group_by: vec![crate::proto::GroupBy::ServerPrefix as i32],
                ..crate::proto::Collection::default()
            }),
            ..SessionSpec::default()
        };
        let spec = spec::check(&spec).unwrap().compiled;
        let log = Arc::new(SessionLog::new(&testing::limits()));
        let attachment = synthetic.start(&spec, log.clone()).unwrap();
        let totals = attachment.totals();
        assert_eq!((totals.measured, totals.losses[0].count), (1001, 101));
        assert_eq!((log.next_index(), totals.aggregated_only), (900, 0));
        for _ in 0..2 {
            let mut groups = attachment.histograms().unwrap();
            groups.sort_by(|a, b| a.0.cmp(&b.0));
            let counts = groups.iter().map(|it| it.1.count()).collect::<Vec<_>>();
            assert_eq!(counts, [334, 334, 333]);
            assert_eq!(groups[0].0.keys["server_prefix"], "10.1.0.0/24");
            let sum: u64 = groups.iter().map(|it| it.1.sum_ns()).sum();
            assert_eq!(sum, (0..1001).map(latency_ns).sum::<u64>());
        }
    }
}
