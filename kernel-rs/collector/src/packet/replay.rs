//! Packets pushed through the same programs without a network: `BPF_PROG_TEST_RUN` with the capture's clock.

use std::time::Duration;

use aya::programs::{TestRun as _, TestRunOptions};
use latscope_events::{class::ClassStats, refusal::REASONS, series::SeriesKey};

use super::{
    lane::{self, Lane},
    object::{Clock, Hook, Object},
    plan::{self, Look, Placed},
    record::Record,
    tables::Tables,
    wire::zero,
};
use crate::{
    class::table::add_class, failure::Failure, histogram::Histogram, ring::Rings,
    spec::CompiledSpec,
};

/// A frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// How long it was on the wire.
    pub wire_length: u32,
    /// When, ns; not 0.
    pub time_ns: u64,
    /// It begins with the IP header.
    pub raw: bool,
    /// The capture's interface, from 1 on; one packet on several of them is measured once.
    pub interface: u32,
    /// This host sent it.
    pub outbound: bool,
}

/// The packet engine on packets of one's own. Everything that it measures comes back from [`Replay::records`].
pub struct Replay {
    object: Object,
    rings: Rings,
}

/// Longest prefix of a frame that is fed: the kernel takes no more than a page less some room, and no header lies behind.
const FED: usize = 2048;
/// Shortest frame that any kernel takes.
const SHORTEST: usize = 14;
/// Length from which on every kernel takes a frame: with an Ethernet and an IPv6 header.
const WHOLE: usize = 14 + 40;
/// The loopback interface, which every namespace has.
const IFINDEX: u32 = 1;

impl Replay {
    /// Loads the programs, for every metric and without filters; they look at the innermost IP header, or the outermost,
    /// and take packets of different VLANs for one flow, or for several.
    ///
    /// # Errors
    /// What the kernel refuses; needs the privileges of a session.
    pub fn open(inner: bool, ignore_vlan: bool) -> Result<Self, Failure> {
        let everything = Lane::unfiltered(u32::MAX);
        Self::with_lanes(
            &[everything],
            Look {
                inner,
                ignore_vlan,
                ..Look::default()
            },
            Clock::Capture,
        )
    }

    /// Loads the programs for these sessions, all on one interface; with `live_clock` as they run live, by the kernel's clock,
    /// so that what they cost is right and what they measure is the replay itself.
    ///
    /// # Errors
    /// As for [`Replay::open`]; `CAPACITY_EXHAUSTED` when the sessions have too many clauses.
    pub fn for_sessions(sessions: &[CompiledSpec], live_clock: bool) -> Result<Self, Failure> {
        let mut lanes = Vec::new();
        for session in sessions {
            lanes.extend(lane::of(session)?);
        }
        let clock = if live_clock {
            Clock::Kernel
        } else {
            Clock::Capture
        };
        Self::with_lanes(&lanes, Look::default(), clock)
    }

    fn with_lanes(lanes: &[Lane], look: Look, clock: Clock) -> Result<Self, Failure> {
        const GENERATION: u32 = 1;
        // One ring, whatever the CPU: records come back in the order of their frames.
        let mut object = Object::open(clock, 1, Tables::default())?;
        let rings = object.take_rings()?;
        let placed: Vec<Placed<'_>> = lanes
            .iter()
            .enumerate()
            .map(|(bit, lane)| Placed {
                bit: bit as u32,
                group: 0,
                look,
                since: 0,
                lane,
            })
            .collect();
        let plan = plan::make(&placed, GENERATION & 1)?;
        object.write_trie(GENERATION & 1, &plan.trie)?;
        object.write_config(GENERATION & 1, &plan.config, &plan.options)?;
        object.flip(GENERATION)?;
        Ok(Self { object, rings })
    }

    /// Runs the program over one frame. `false` when the kernel takes no frame as short as this.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn feed(&mut self, frame: &Frame<'_>) -> Result<bool, Failure> {
        if frame.bytes.len() < SHORTEST {
            return Ok(false);
        }
        let data = &frame.bytes[..frame.bytes.len().min(FED)];
        let context = context(frame, data.len() as u32);
        let hook = Hook {
            raw: frame.raw,
            egress: frame.outbound,
        };
        let program = self.object.program(hook)?;
        let mut options = TestRunOptions::new();
        options.data_in = Some(data);
        options.ctx_in = Some(&context);
        match program.test_run(options) {
            Ok(_) => Ok(true),
            // Newer kernels refuse frames that end inside the IP header.
            Err(_) if data.len() < WHOLE => Ok(false),
            Err(error) => Err(Failure::kernel("BPF_PROG_TEST_RUN", &error)),
        }
    }

    /// What was measured since the last call, oldest first. To be called at least every 2 000 frames, or the ring is full.
    pub fn records(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        for ring in &mut self.rings.shards {
            while let Some(record) = ring.next() {
                records.extend(Record::read(&record));
            }
        }
        records
    }

    /// How long the programs ran so far, and for how many frames: the kernel's own figures, kept while
    /// `BPF_ENABLE_STATS` is on.
    #[must_use]
    pub fn run_time(&self) -> (Duration, u64) {
        self.object
            .loaded()
            .filter_map(|(_, _, program)| program.info().ok())
            .fold((Duration::ZERO, 0), |(time, runs), info| {
                (time + info.run_time(), runs + info.run_count())
            })
    }

    /// Starts that were not answered so far, and never will be when no frame follows: SYNs, queries, segments in flight.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn unanswered(&self) -> Result<u64, Failure> {
        self.object.unanswered_for_good()
    }

    /// What the programs counted so far, by series.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn histograms(&mut self) -> Result<Vec<(SeriesKey, Histogram)>, Failure> {
        self.object.histograms.refresh()?;
        let all = self.object.histograms.of(u64::MAX);
        Ok(all
            .map(|(key, histogram)| (*key, histogram.clone()))
            .collect())
    }

    /// Latencies that were not reported so far, by reason.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn refusals(&self) -> Result<[u64; REASONS], Failure> {
        let mut sum: ClassStats = zero();
        for (_, class) in self.object.classes.read(1)? {
            add_class(&mut sum, &class);
        }
        let outside_flows = self.object.stats_of(0)?.refused;
        Ok(std::array::from_fn(|reason| {
            sum.refused_rtt[reason] + sum.refused[reason] + outside_flows[reason]
        }))
    }
}

/// The `__sk_buff` of a frame (include/uapi/linux/bpf.h): the fields that a test run may set.
fn context(frame: &Frame<'_>, fed: u32) -> [u8; 192] {
    const MARK_AT: usize = 8;
    const IFINDEX_AT: usize = 40;
    const TSTAMP_AT: usize = 152;
    const WIRE_LEN_AT: usize = 160;
    /// `GSO_LEGACY_MAX_SIZE`, beyond which the kernel refuses it.
    const LONGEST: u32 = 65536;
    let mut context = [0; 192];
    context[MARK_AT..MARK_AT + 4].copy_from_slice(&frame.interface.to_ne_bytes());
    context[IFINDEX_AT..IFINDEX_AT + 4].copy_from_slice(&IFINDEX.to_ne_bytes());
    context[TSTAMP_AT..TSTAMP_AT + 8].copy_from_slice(&frame.time_ns.to_ne_bytes());
    let wire_length = frame.wire_length.clamp(fed, LONGEST);
    context[WIRE_LEN_AT..WIRE_LEN_AT + 4].copy_from_slice(&wire_length.to_ne_bytes());
    context
}

#[cfg(test)]
pub(super) mod tests;
