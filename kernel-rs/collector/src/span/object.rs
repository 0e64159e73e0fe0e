//! The eBPF object, loaded: programs and maps.

mod anchored;

use std::{
    collections::{HashMap as Map, hash_map::Entry},
    num::NonZeroU32,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, MapData, MapError, PerCpuArray, PerCpuHashMap, RingBuf},
    programs::{
        BtfTracePoint, FEntry, PerfEvent, ProgramInfo, UProbe,
        fentry::FEntryLink,
        perf_event::{PerfEventConfig, PerfEventLink, PerfEventScope, SamplePolicy, SoftwareEvent},
        tp_btf::BtfTracePointLink,
    },
    util::{nr_cpus, online_cpus},
};
use aya_obj::btf::BtfKind;
use latscope_events::{
    histogram::Histogram,
    span::{
        config::{Accepting, Config, Control, FilterKey},
        counters::Counters,
        frames::{Frames, Goroutine},
        offsets::Offsets,
        pair::{Pair, Point, Start, StartKey},
        receive::Received,
        series::SeriesKey,
        thread::{Request, Thread},
    },
};

use super::{
    hook::Hook,
    offsets,
    uprobe::{self, Place, When},
};
use crate::{
    bpf::{self, take},
    btf,
    failure::{Failure, Reason},
    per_cpu,
    wire::{Layout, Wire},
};

/// The object, as the build script left it.
pub(crate) static SPAN: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../probes/prebuilt/span.bpf.o"
));

/// Linux capabilities that the engine cannot do without.
pub(super) const PRIVILEGES: &[&str] = crate::privilege::of_engine(crate::metric::EngineKind::Span);
/// Kernel memory for histograms.
const SERIES_BYTES: usize = 4 << 20;
/// Fewest and most histograms.
const SERIES: (usize, usize) = (64, 2048);

impl Layout for Accepting {}
impl Layout for Config {}
impl Layout for Control {}
impl Layout for Counters {}
impl Layout for FilterKey {}
impl Layout for Frames {}
impl Layout for Goroutine {}
impl Layout for Offsets {}
impl Layout for Pair {}
impl Layout for Point {}
impl Layout for Received {}
impl Layout for Request {}
impl Layout for SeriesKey {}
impl Layout for Start {}
impl Layout for StartKey {}
impl Layout for Thread {}

/// A program that is loaded, and where it is attached.
struct Loaded {
    load_time: Duration,
    link: Option<BtfTracePointLink>,
}

/// The loaded object. Dropping it detaches and frees everything.
pub(super) struct Object {
    ebpf: Ebpf,
    programs: Map<Hook, Loaded>,
    /// Programs on functions, which have as many places as there are lanes.
    functions: Map<&'static str, Duration>,
    /// Programs on tracepoints and functions of the kernel, likewise.
    anchored: Map<&'static str, Duration>,
    points: HashMap<MapData, u64, Wire<Point>>,
    pairs: Array<MapData, Wire<Pair>>,
    starts: HashMap<MapData, Wire<StartKey>, Wire<Start>>,
    hits: PerCpuArray<MapData, u64>,
    timers: Vec<PerfEventLink>,
    /// Of the reader of datagrams; none where the kernel takes no fentry.
    datagrams: Option<FEntryLink>,
    control: Array<MapData, Wire<Control>>,
    config: Array<MapData, Wire<Config>>,
    filters: HashMap<MapData, Wire<FilterKey>, Wire<Accepting>>,
    written: [Vec<FilterKey>; 2],
    counters: PerCpuArray<MapData, Wire<Counters>>,
    goroutines: HashMap<MapData, Wire<Goroutine>, Wire<Frames>>,
    series: [PerCpuHashMap<MapData, Wire<SeriesKey>, Wire<Histogram>>; 2],
}

impl Object {
    /// Creates the maps; programs are loaded when first asked for.
    ///
    /// # Errors
    /// What the kernel lacks or refuses, with the privilege that is missing.
    pub(super) fn open() -> Result<Self, Failure> {
        let offsets = Wire(offsets::find()?);
        let cpus = nr_cpus().map_err(|(_, error)| Failure::kernel("counting CPUs", &error))?;
        let histograms = (SERIES_BYTES / (cpus * size_of::<Histogram>())).clamp(SERIES.0, SERIES.1);
        let mut ebpf = EbpfLoader::new()
            .override_global("OFFSETS", &offsets, true)
            .map_max_entries("SERIES", histograms as u32)
            .load(SPAN)
            .map_err(|error| {
                bpf::refused("cannot create the span engine's maps", PRIVILEGES, &error)
            })?;
        Ok(Self {
            programs: Map::new(),
            functions: Map::new(),
            anchored: Map::new(),
            points: take(&mut ebpf, "POINTS")?,
            pairs: take(&mut ebpf, "PAIRS")?,
            starts: take(&mut ebpf, "STARTS")?,
            timers: Vec::new(),
            datagrams: None,
            hits: take(&mut ebpf, "TARGET_HITS")?,
            control: take(&mut ebpf, "CONTROL")?,
            config: take(&mut ebpf, "CONFIG")?,
            filters: take(&mut ebpf, "FILTERS")?,
            written: [Vec::new(), Vec::new()],
            counters: take(&mut ebpf, "COUNTERS")?,
            goroutines: take(&mut ebpf, "GOROUTINES")?,
            series: [take(&mut ebpf, "SERIES")?, take(&mut ebpf, "OTHERS")?],
            ebpf,
        })
    }

    /// The ring and the word that asks for a wake-up; once.
    pub(super) fn take_ring(&mut self) -> Result<(RingBuf<MapData>, Array<MapData, u32>), Failure> {
        Ok((
            take(&mut self.ebpf, "SAMPLES")?,
            take(&mut self.ebpf, "WAKE")?,
        ))
    }

    /// Attaches a program; whether it was not yet.
    ///
    /// # Errors
    /// `HOOK_UNAVAILABLE` where the kernel has no such tracepoint, `PROGRAM_REFUSED` with the end of the verifier's log.
    pub(super) fn attach(&mut self, hook: Hook) -> Result<bool, Failure> {
        if self.programs.get(&hook).is_some_and(|it| it.link.is_some()) {
            return Ok(false);
        }
        self.load(hook)?;
        if let Some(table) = hook.keeps {
            self.empty(table)?;
        }
        let program = self.program(hook)?;
        let link = program
            .attach()
            .and_then(|id| program.take_link(id))
            .map_err(|error| {
                bpf::refused(
                    &format!("attaching to tracepoint {}", hook.tracepoint),
                    PRIVILEGES,
                    &error,
                )
            })?;
        if let Some(loaded) = self.programs.get_mut(&hook) {
            loaded.link = Some(link);
        }
        Ok(true)
    }

    /// Has a program verified, if it has not been.
    ///
    /// # Errors
    /// As [`Self::attach`].
    pub(super) fn load(&mut self, hook: Hook) -> Result<(), Failure> {
        if self.programs.contains_key(&hook) {
            return Ok(());
        }
        let name = format!("btf_trace_{}", hook.tracepoint);
        let types = btf::types_for(BtfKind::Typedef, &name)
            .ok_or_else(|| no_tracepoint(hook.tracepoint))?;
        let begun = Instant::now();
        self.program(hook)?
            .load(hook.tracepoint, &types)
            .map_err(|error| bpf::not_loaded(hook.program, PRIVILEGES, error))?;
        let loaded = Loaded {
            load_time: begun.elapsed(),
            link: None,
        };
        self.programs.insert(hook, loaded);
        Ok(())
    }

    /// Attaches a program to a place in a file.
    ///
    /// # Errors
    /// `HOOK_UNAVAILABLE` where the kernel has no uprobes or refuses the place, `PRIVILEGE_MISSING`, `PROGRAM_REFUSED`.
    pub(super) fn attach_function(
        &mut self,
        name: &'static str,
        at: (&Path, Place),
        when: When,
        cookie: u64,
        pid: Option<NonZeroU32>,
    ) -> Result<OwnedFd, Failure> {
        let program: &mut UProbe = bpf::program(&mut self.ebpf, name)?;
        if let Entry::Vacant(entry) = self.functions.entry(name) {
            let begun = Instant::now();
            program
                .load()
                .map_err(|error| bpf::not_loaded(name, PRIVILEGES, error))?;
            entry.insert(begun.elapsed());
        }
        let fd = program
            .fd()
            .map_err(|error| Failure::kernel("program descriptor", &error))?;
        uprobe::attach(fd.as_fd(), at, when, cookie, pid).map_err(|error| {
            let text = format!(
                "the kernel puts no uprobe at {:#x} of {}: {error}",
                at.1.offset,
                at.0.display()
            );
            let lacking = if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)) {
                crate::privilege::UPROBE
            } else {
                PRIVILEGES
            };
            crate::privilege::missing(lacking).unwrap_or_else(|| {
                Failure::new(Reason::HookUnavailable, text.clone()).with_precondition(
                    "CAPABILITY",
                    "uprobe",
                    text,
                )
            })
        })
    }

    /// Starts a timer on every CPU, each with its program, where there is none yet; whether there was none.
    ///
    /// # Errors
    /// `HOOK_UNAVAILABLE` where the kernel refuses the event.
    pub(super) fn start_timers(&mut self, interval_ns: u64) -> Result<bool, Failure> {
        const NAME: &str = "latscope_tick";
        if !self.timers.is_empty() {
            return Ok(false);
        }
        let cpus = online_cpus().map_err(|(_, error)| Failure::kernel("counting CPUs", &error))?;
        let program: &mut PerfEvent = bpf::program(&mut self.ebpf, NAME)?;
        if let Entry::Vacant(entry) = self.functions.entry(NAME) {
            let begun = Instant::now();
            program
                .load()
                .map_err(|error| bpf::not_loaded(NAME, PRIVILEGES, error))?;
            entry.insert(begun.elapsed());
        }
        let mut timers = Vec::new();
        for cpu in cpus {
            let link = program
                .attach(
                    PerfEventConfig::Software(SoftwareEvent::CpuClock),
                    PerfEventScope::AllProcessesOneCpu { cpu },
                    SamplePolicy::Period(interval_ns),
                    false,
                )
                .and_then(|id| program.take_link(id));
            timers.push(link.map_err(|error| {
                let text = format!("no timer on CPU {cpu}: {}", bpf::chain(&error));
                crate::privilege::missing(PRIVILEGES).unwrap_or_else(|| {
                    Failure::new(Reason::HookUnavailable, text.clone()).with_precondition(
                        "CAPABILITY",
                        "perf_event",
                        text,
                    )
                })
            })?);
        }
        self.timers = timers;
        Ok(true)
    }

    /// Attaches to where datagrams are read, if the kernel lets it: from 6.18 on nothing else tells of most of them.
    pub(super) fn watch_datagrams(&mut self) {
        const NAME: &str = "latscope_datagram_read";
        const FUNCTION: &str = "skb_consume_udp";
        if self.datagrams.is_some() {
            return;
        }
        let loaded = self.anchored.contains_key(NAME);
        let types = btf::types_for(BtfKind::Func, FUNCTION);
        let (Some(types), Ok(program)) = (types, self.program_of::<FEntry>(NAME)) else {
            return;
        };
        let begun = Instant::now();
        let ready = loaded || program.load(FUNCTION, &types).is_ok();
        let link = ready.then(|| program.attach().and_then(|id| program.take_link(id)));
        self.datagrams = link.and_then(Result::ok);
        if ready && !loaded {
            self.anchored.insert(NAME, begun.elapsed());
        }
    }

    /// Lets go of it.
    pub(super) fn leave_datagrams(&mut self) {
        self.datagrams = None;
    }

    /// Stops them.
    pub(super) fn stop_timers(&mut self) {
        self.timers.clear();
    }

    /// What the goroutines of processes that are `gone` were in; their entries are removed.
    pub(super) fn goroutines_of(&mut self, gone: impl Fn(u32) -> bool) -> Vec<Frames> {
        let keys = self.goroutines.keys().filter_map(Result::ok);
        let keys: Vec<Wire<Goroutine>> = keys.filter(|it| gone(it.0.pid)).collect();
        let take = |key: Wire<Goroutine>| {
            let frames = self.goroutines.get(&key, 0).ok()?;
            self.goroutines.remove(&key).ok()?;
            Some(frames.0)
        };
        keys.into_iter().filter_map(take).collect()
    }

    /// Calls of a lane's function so far, whether they were wanted or not.
    pub(super) fn hits(&self, bit: u32) -> Result<u64, Failure> {
        let values = self
            .hits
            .get(&bit, 0)
            .map_err(|error| Failure::kernel("reading TARGET_HITS", &error))?;
        Ok(values.iter().sum())
    }

    /// Programs on functions and timers that are loaded, and how long that took.
    pub(super) fn functions(&self) -> impl Iterator<Item = (&'static str, Duration, ProgramInfo)> {
        self.functions.iter().filter_map(|(name, load_time)| {
            let info = self.ebpf.program(name)?.info().ok()?;
            Some((*name, *load_time, info))
        })
    }

    /// Detaches every program but these.
    pub(super) fn detach_all_but(&mut self, hooks: &[Hook]) {
        for (hook, loaded) in &mut self.programs {
            if !hooks.contains(hook) {
                loaded.link = None;
            }
        }
    }

    /// Removes what is left in a table of starts.
    fn empty(&mut self, table: &'static str) -> Result<(), Failure> {
        let failed = |error: &MapError| Failure::kernel(&format!("emptying {table}"), error);
        let map = self.ebpf.map_mut(table);
        let map = map.ok_or_else(|| bpf::absent("map", table))?;
        match table {
            "THREADS" => clear(HashMap::<_, u32, Wire<Thread>>::try_from(map)),
            "RECEIVED" => clear(HashMap::<_, u64, Wire<Received>>::try_from(map)),
            _ => clear(HashMap::<_, u64, Wire<Request>>::try_from(map)),
        }
        .map_err(|error| failed(&error))
    }

    fn program(&mut self, hook: Hook) -> Result<&mut BtfTracePoint, Failure> {
        self.program_of(hook.program)
    }

    /// Programs that are loaded: how long that took, and whether each is attached.
    pub(super) fn loaded(&self) -> impl Iterator<Item = (Hook, Duration, bool, ProgramInfo)> {
        self.programs.iter().filter_map(|(hook, loaded)| {
            let info = self.ebpf.program(hook.program)?.info().ok()?;
            Some((*hook, loaded.load_time, loaded.link.is_some(), info))
        })
    }

    /// Writes a bank that is not in use.
    pub(super) fn write(
        &mut self,
        bank: u32,
        config: &Config,
        filters: &Map<FilterKey, Accepting>,
    ) -> Result<(), Failure> {
        let written = &mut self.written[bank as usize & 1];
        for key in written.drain(..) {
            self.filters
                .remove(&Wire(key))
                .map_err(|error| Failure::kernel("emptying FILTERS", &error))?;
        }
        for (key, accepting) in filters {
            self.filters
                .insert(Wire(*key), Wire(*accepting), 0)
                .map_err(|error| full("filter table", &error))?;
            written.push(*key);
        }
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

    /// Counters of a metric of each CPU; a copy torn by a program that ran meanwhile is taken again.
    pub(super) fn counters(&self, metric: u32) -> Result<Vec<Counters>, Failure> {
        per_cpu::whole(
            "reading COUNTERS",
            || self.counters.get(&metric, 0),
            |it| it.before == it.after,
        )
    }

    /// Every histogram, by CPU.
    pub(super) fn series(&self) -> Result<Vec<(SeriesKey, Vec<Histogram>)>, Failure> {
        let failed = |error: MapError| Failure::kernel("reading SERIES", &error);
        let mut all = Vec::new();
        for map in &self.series {
            for key in map.keys() {
                let key = key.map_err(failed)?;
                let parts = per_cpu::whole(
                    "reading SERIES",
                    || map.get(&key, 0),
                    |it| it.before == it.after,
                )?;
                all.push((key.0, parts));
            }
        }
        Ok(all)
    }

    /// Forgets a histogram that no program adds to any more.
    pub(super) fn forget(&mut self, key: &SeriesKey) {
        for map in &mut self.series {
            let _ = map.remove(&Wire(*key));
        }
    }

    /// Bytes of kernel memory that the maps take.
    pub(super) fn map_bytes(&self) -> u64 {
        bpf::map_bytes(self.loaded().map(|(_, _, _, info)| info))
    }
}

fn clear<K: aya::Pod, V: aya::Pod>(
    map: Result<HashMap<&mut MapData, K, V>, MapError>,
) -> Result<(), MapError> {
    let mut map = map?;
    let keys = map.keys().collect::<Result<Vec<K>, MapError>>()?;
    for key in keys {
        match map.remove(&key) {
            Ok(()) | Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn no_tracepoint(name: &str) -> Failure {
    let text = format!("this kernel has no tracepoint {name}");
    Failure::new(Reason::HookUnavailable, text.clone()).with_precondition("CAPABILITY", name, text)
}

fn full(table: &str, error: &MapError) -> Failure {
    let text =
        format!("the span engine's {table} is full ({error}); stop a session or join filters");
    Failure::new(Reason::CapacityExhausted, text.clone()).with_quota(table, text)
}
