//! The eBPF object, loaded: program and maps.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData, MapError, PerCpuArray},
    programs::{CgroupAttachMode, SockOps, sock_ops::SockOpsLink},
    util::nr_cpus,
};
use latscope_events::{
    config::{Clauses, Config, Control, TrieKey},
    counter::Counters,
    histogram::Histogram,
    socket::SLOTS,
};
use nix::time::{ClockId, clock_getres};

use super::{
    existing::{Existing, Visit},
    histograms::Histograms,
    offsets,
};
use crate::{
    bpf::{self, take},
    cgroup,
    class::{table::Classes, trie::Trie},
    failure::{Failure, Reason},
    per_cpu,
    ring::Rings,
    wire::Wire,
};

/// The object, as the build script left it.
pub(crate) static SOCKET: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../probes/prebuilt/socket.bpf.o"
));

/// Name of the program.
pub(super) const PROGRAM: &str = "latscope_sock_ops";
/// What it takes to load and attach it.
pub(super) const PRIVILEGES: &[&str] =
    crate::privilege::of_engine(crate::metric::EngineKind::Socket);

/// Kernel memory for histograms.
const SERIES_BYTES: usize = 2 << 20;
/// Fewest and most histograms.
const SERIES: (usize, usize) = (64, 2048);

/// The loaded object. Dropping it detaches and frees everything.
pub(super) struct Object {
    ebpf: Ebpf,
    load_time: Duration,
    control: Array<MapData, Wire<Control>>,
    config: Array<MapData, Wire<Config>>,
    trie: Trie,
    pub(super) classes: Classes,
    counters: PerCpuArray<MapData, Wire<Counters>>,
    pub(super) histograms: Histograms,
    existing: Existing,
}

impl Object {
    /// Creates the maps and loads the program.
    ///
    /// # Errors
    /// `HOOK_UNAVAILABLE` without BTF; what the kernel refuses, with the privilege that is missing.
    pub(super) fn open() -> Result<Self, Failure> {
        let offsets =
            offsets::running().map_err(|text| Failure::new(Reason::HookUnavailable, text))?;
        let jiffy_ns = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)
            .map_err(|error| Failure::kernel("asking for the length of a jiffy", &error))?
            .tv_nsec() as u64;
        let cpus = nr_cpus().map_err(|(_, error)| Failure::kernel("counting CPUs", &error))?;
        let series = (SERIES_BYTES / (cpus * size_of::<Histogram>())).clamp(SERIES.0, SERIES.1);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("SERIES", series as u32)
            .override_global("OFFSETS", &Wire(offsets), true)
            .override_global("JIFFY_NS", &jiffy_ns, true)
            .load(SOCKET)
            .map_err(|error| {
                bpf::refused("cannot create the socket engine's maps", PRIVILEGES, &error)
            })?;
        let begun = Instant::now();
        bpf::program::<SockOps>(&mut ebpf, PROGRAM)?
            .load()
            .map_err(|error| bpf::not_loaded(PROGRAM, PRIVILEGES, error))?;
        Ok(Self {
            load_time: begun.elapsed(),
            control: take(&mut ebpf, "CONTROL")?,
            config: take(&mut ebpf, "CONFIG")?,
            trie: Trie::open(&mut ebpf)?,
            classes: Classes::open(&mut ebpf)?,
            counters: take(&mut ebpf, "COUNTERS")?,
            histograms: Histograms::open(&mut ebpf)?,
            existing: Existing::open(&mut ebpf)?,
            ebpf,
        })
    }

    /// The ring and the word that asks for a wake-up; once.
    pub(super) fn take_rings(&mut self) -> Result<Rings, Failure> {
        Ok(Rings {
            shards: vec![take(&mut self.ebpf, "SAMPLES")?],
            wake: take(&mut self.ebpf, "WAKE")?,
            by_fill: false,
        })
    }

    /// Attaches to the root of cgroup v2, beside the programs of others. Dropping the link detaches.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(super) fn attach(&mut self) -> Result<SockOpsLink, Failure> {
        let root = cgroup::root().ok_or_else(|| {
            Failure::new(
                Reason::HookUnavailable,
                "cgroup v2 is not mounted: mount it, beside version 1 if need be",
            )
        })?;
        let refused = |error: &dyn std::fmt::Display| {
            bpf::refused("cannot attach to the root of cgroup v2", PRIVILEGES, error)
        };
        let cgroup = File::open(root).map_err(|error| refused(&error))?;
        let program: &mut SockOps = bpf::program(&mut self.ebpf, PROGRAM)?;
        program
            // A link takes no flags, and always allows programs of others.
            .attach(cgroup, CgroupAttachMode::Single)
            .and_then(|id| program.take_link(id))
            .map_err(|error| refused(&error))
    }

    /// Visits the sockets that are there: what was not seen of them, for a person.
    pub(super) fn visit(&mut self, visit: Visit) -> Option<String> {
        self.existing.visit(&mut self.ebpf, visit)
    }

    /// The program, and how long loading it took.
    pub(super) fn loaded(&self) -> Option<(&SockOps, Duration)> {
        let program = self.ebpf.program(PROGRAM)?;
        Some((program.try_into().ok()?, self.load_time))
    }

    /// Writes a bank that is not in use.
    pub(super) fn write_config(&mut self, bank: u32, config: &Config) -> Result<(), Failure> {
        self.config
            .set(bank, Wire(*config), 0)
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
        self.trie.write(bank, entries, full)
    }

    /// Caps and losses of each CPU and slot; a copy torn by a call that ran meanwhile is taken again.
    pub(super) fn counters(&self) -> Result<Vec<Counters>, Failure> {
        let mut all = Vec::new();
        for slot in 0..SLOTS as u32 {
            all.extend(per_cpu::whole(
                "reading COUNTERS",
                || self.counters.get(&slot, 0),
                |it: &Counters| it.before == it.after,
            )?);
        }
        Ok(all)
    }

    /// Bytes of kernel memory that the maps take.
    pub(super) fn map_bytes(&self) -> u64 {
        let info = self.loaded().and_then(|(program, _)| program.info().ok());
        bpf::map_bytes(info)
    }
}

fn full(error: &MapError) -> Failure {
    let text = format!(
        "the socket engine's filter table is full ({error}); stop a session or join filters"
    );
    Failure::new(Reason::CapacityExhausted, text.clone()).with_quota("filter table", text)
}
