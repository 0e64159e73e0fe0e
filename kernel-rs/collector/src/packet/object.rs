//! The eBPF object, loaded: programs and maps.

use std::time::{Duration, Instant};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, MapData, MapError, PerCpuArray},
    programs::SchedClassifier,
};
use latscope_events::{
    class::GroupStats,
    config::{Clauses, Config, Control, Interface, TrieKey},
    counter::Counters,
    flow::GROUPS,
    options::Options,
};

use super::{histograms::Histograms, shards, tables::Tables, waiting::Waiting};
use crate::{
    bpf::{self, take},
    class::{
        outside::Outside,
        table::{Classes, add},
        trie::Trie,
    },
    failure::{Failure, Reason},
    per_cpu,
    ring::Rings,
    wire::{Wire, zero},
};

/// The object, as the build script left it.
pub(crate) static PACKET: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../probes/prebuilt/packet.bpf.o"
));

/// Linux capabilities that the engine cannot do without.
const PRIVILEGES: &[&str] = crate::privilege::of_engine(crate::metric::EngineKind::Packet);

/// What packets an interface carries, and which way: one program each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hook {
    /// Frames begin with the IP header.
    pub(super) raw: bool,
    /// What the interface sends.
    pub(super) egress: bool,
}

impl Hook {
    /// Every program.
    pub(super) const ALL: [Self; 4] = [
        Self {
            raw: false,
            egress: false,
        },
        Self {
            raw: false,
            egress: true,
        },
        Self {
            raw: true,
            egress: false,
        },
        Self {
            raw: true,
            egress: true,
        },
    ];

    /// Its program's name.
    pub(super) const fn program(self) -> &'static str {
        match (self.raw, self.egress) {
            (false, false) => "latscope_in",
            (false, true) => "latscope_out",
            (true, false) => "latscope_l3_in",
            (true, true) => "latscope_l3_out",
        }
    }
}

/// The clock that programs run by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// `CLOCK_MONOTONIC`.
    Kernel,
    /// The capture's, in `skb->tstamp`.
    Capture,
}

/// The loaded object. Dropping it detaches and frees everything.
pub(super) struct Object {
    ebpf: Ebpf,
    load_times: [Option<Duration>; 4],
    control: Array<MapData, Wire<Control>>,
    config: Array<MapData, Wire<Config>>,
    options: Array<MapData, Wire<Options>>,
    interfaces: HashMap<MapData, u32, Wire<Interface>>,
    trie: Trie,
    pub(super) classes: Classes,
    group_stats: PerCpuArray<MapData, Wire<GroupStats>>,
    counters: PerCpuArray<MapData, Wire<Counters>>,
    waiting: Waiting,
    pub(super) histograms: Histograms,
    rings: Option<Rings>,
    ring_bytes: u64,
}

impl Object {
    /// Creates the maps, of this size and with so many rings; programs are loaded when first asked for.
    ///
    /// # Errors
    /// What the kernel refuses, with the privilege that is missing.
    pub(super) fn open(clock: Clock, shards: u32, tables: Tables) -> Result<Self, Failure> {
        let replay = u8::from(clock == Clock::Capture);
        let (mask, fill) = (shards - 1, u64::from(shards::bytes(shards) / 2));
        let mut loader = EbpfLoader::new();
        tables.apply(&mut loader);
        let mut ebpf = loader
            .override_global("REPLAY", &replay, true)
            .override_global("SHARD_MASK", &mask, true)
            .override_global("FILL", &fill, true)
            .load(PACKET)
            .map_err(|error| {
                bpf::refused("cannot create the packet engine's maps", PRIVILEGES, &error)
            })?;
        let (rings, ring_bytes) = shards::make(&mut ebpf, shards)?;
        Ok(Self {
            load_times: [None; 4],
            control: take(&mut ebpf, "CONTROL")?,
            config: take(&mut ebpf, "CONFIG")?,
            options: take(&mut ebpf, "OPTIONS")?,
            interfaces: take(&mut ebpf, "INTERFACES")?,
            trie: Trie::open(&mut ebpf)?,
            classes: Classes::open(&mut ebpf)?,
            group_stats: take(&mut ebpf, "GROUP_STATS")?,
            counters: take(&mut ebpf, "COUNTERS")?,
            waiting: Waiting::open(&mut ebpf)?,
            histograms: Histograms::open(&mut ebpf, tables.histograms())?,
            rings: Some(rings),
            ring_bytes,
            ebpf,
        })
    }

    /// The rings; once.
    pub(super) fn take_rings(&mut self) -> Result<Rings, Failure> {
        let taken = || Failure::new(Reason::Internal, "the rings are taken");
        self.rings.take().ok_or_else(taken)
    }

    /// A program, loaded and verified.
    ///
    /// # Errors
    /// `PROGRAM_REFUSED` with the end of the verifier's log.
    pub(super) fn program(&mut self, hook: Hook) -> Result<&mut SchedClassifier, Failure> {
        let name = hook.program();
        let place = Hook::ALL
            .iter()
            .position(|it| *it == hook)
            .unwrap_or_default();
        let program: &mut SchedClassifier = bpf::program(&mut self.ebpf, name)?;
        if self.load_times[place].is_none() {
            let begun = Instant::now();
            program
                .load()
                .map_err(|error| bpf::not_loaded(name, PRIVILEGES, error))?;
            self.load_times[place] = Some(begun.elapsed());
        }
        Ok(program)
    }

    /// Programs that are loaded, and how long that took.
    pub(super) fn loaded(&self) -> impl Iterator<Item = (Hook, Duration, &SchedClassifier)> {
        Hook::ALL
            .into_iter()
            .zip(self.load_times)
            .filter_map(|(hook, time)| {
                let program = self.ebpf.program(hook.program())?;
                Some((hook, time?, <&SchedClassifier>::try_from(program).ok()?))
            })
    }

    /// Writes a bank that is not in use.
    pub(super) fn write_config(
        &mut self,
        bank: u32,
        config: &Config,
        options: &Options,
    ) -> Result<(), Failure> {
        self.waiting.set_idle(&options.idle);
        self.options
            .set(bank, Wire(*options), 0)
            .map_err(|error| Failure::kernel("writing OPTIONS", &error))?;
        let mut config = *config;
        config.most_series = self.histograms.shared_by(config.groupings);
        self.config
            .set(bank, Wire(config), 0)
            .map_err(|error| Failure::kernel("writing CONFIG", &error))
    }

    /// Makes a generation the current one, and with it its bank.
    pub(super) fn flip(&mut self, generation: u32) -> Result<(), Failure> {
        self.control
            .set(0, Wire(Control { generation }), 0)
            .map_err(|error| Failure::kernel("writing CONTROL", &error))
    }

    /// Replaces the trie entries of a bank.
    pub(super) fn write_trie(
        &mut self,
        bank: u32,
        entries: &[(u32, TrieKey, Clauses)],
    ) -> Result<(), Failure> {
        self.trie
            .write(bank, entries, |error| full("filter table", error))
    }

    /// Groups that look at an interface.
    pub(super) fn write_interface(&mut self, ifindex: u32, groups: u32) -> Result<(), Failure> {
        let result = if groups == 0 {
            match self.interfaces.remove(&ifindex) {
                Err(MapError::KeyNotFound) => Ok(()),
                other => other,
            }
        } else {
            self.interfaces
                .insert(ifindex, Wire(Interface { groups }), 0)
        };
        result.map_err(|error| full("interface table", &error))
    }

    /// What is counted outside flows of a group; unless `fresh`, starts without an answer as of a second ago.
    pub(super) fn group(&self, group: u32, fresh: bool) -> Result<Outside, Failure> {
        let all = || (0..GROUPS as u32).map(|it| self.stats_of(it)).collect();
        Ok(Outside {
            refused: self.stats_of(group)?.refused,
            unanswered: self.waiting.unanswered(all, fresh)?[group as usize % GROUPS],
        })
    }

    /// A group looks anew, from this generation on.
    pub(super) fn begin(&mut self, group: usize, since: u32) {
        self.waiting.begin(group, since);
    }

    /// Starts that will never be answered when no packet follows: everything that waits, in flows as well.
    pub(super) fn unanswered_for_good(&self) -> Result<u64, Failure> {
        let stats = self.stats_of(0)?;
        let begun: u64 = stats.begun.iter().sum();
        let ended: u64 = stats.ended.iter().sum();
        Ok(begun.saturating_sub(ended))
    }

    /// Counters of a group, added over CPUs.
    pub(super) fn stats_of(&self, group: u32) -> Result<GroupStats, Failure> {
        let values = self
            .group_stats
            .get(&group, 0)
            .map_err(|error| Failure::kernel("reading GROUP_STATS", &error))?;
        let mut sum: GroupStats = zero();
        for one in values.iter() {
            let GroupStats {
                refused,
                begun,
                ended,
            } = &one.0;
            add(&mut sum.refused, refused);
            add(&mut sum.begun, begun);
            add(&mut sum.ended, ended);
        }
        Ok(sum)
    }

    /// Caps and losses of each CPU; a copy torn by a program that ran meanwhile is taken again.
    pub(super) fn counters(&self) -> Result<Vec<Counters>, Failure> {
        per_cpu::whole(
            "reading COUNTERS",
            || self.counters.get(&0, 0),
            |it| it.before == it.after,
        )
    }

    /// Bytes of kernel memory that the maps take.
    pub(super) fn map_bytes(&self) -> u64 {
        self.ring_bytes
            + bpf::map_bytes(
                self.loaded()
                    .filter_map(|(_, _, program)| program.info().ok()),
            )
    }
}

fn full(table: &str, error: &MapError) -> Failure {
    let text =
        format!("the packet engine's {table} is full ({error}); stop a session or join filters");
    Failure::new(Reason::CapacityExhausted, text.clone()).with_quota(table, text)
}
