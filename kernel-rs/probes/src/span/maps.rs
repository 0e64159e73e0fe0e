//! The maps of the span engine. Sizes are defaults; the user side may load others.

use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf},
    macros::btf_map,
};
use latscope_events::{
    histogram::Histogram,
    span::{
        config::{Accepting, Config, Control, FilterKey},
        counters::Counters,
        frames::{Frames, Goroutine, target::TARGETS},
        metric::METRICS,
        pair::{PAIRS as PAIRS_MAX, POINTS as POINTS_MAX, Pair, Point, Start, StartKey},
        receive::Received,
        series::SeriesKey,
        thread::{Request, Thread},
    },
};

use crate::{hardirq::Handlers, softirq::VECTORS, tracepoint_pair::Event};

/// The generation of the lanes.
#[btf_map]
pub(crate) static CONTROL: Array<Control, 1> = Array::new();

/// Set to 1 by a reader that is about to sleep: the next record wakes it and clears this.
#[btf_map]
pub(crate) static WAKE: Array<u32, 1> = Array::new();

/// The lanes, one bank a generation parity.
#[btf_map]
pub(crate) static CONFIG: Array<Config, 2> = Array::new();

/// Values that filters name, both banks.
#[btf_map]
pub(crate) static FILTERS: HashMap<FilterKey, Accepting, 8192> = HashMap::new();

/// Threads by id.
#[btf_map]
pub(crate) static THREADS: HashMap<u32, Thread, 16384> = HashMap::new();

/// A thread of which nothing is known yet.
#[btf_map]
pub(crate) static NEW_THREAD: Array<Thread, 1> = Array::new();

/// Latencies by size.
#[btf_map]
pub(crate) static SERIES: PerCpuHashMap<SeriesKey, Histogram, 1024> = PerCpuHashMap::new();

/// Those that have no room there.
#[btf_map]
pub(crate) static OTHERS: PerCpuHashMap<SeriesKey, Histogram, 128> = PerCpuHashMap::new();

/// A histogram that has counted nothing yet.
#[btf_map]
pub(crate) static NEW_HISTOGRAM: Array<Histogram, 1> = Array::new();

/// Rate caps, losses and refusals by metric.
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counters, METRICS> = PerCpuArray::new();

/// Samples on their way to the reader. Untyped, so that bpftool can open it.
#[btf_map]
pub(crate) static SAMPLES: RingBuf<(), { 1 << 20 }> = RingBuf::new();

/// Since when this CPU is not idle.
#[btf_map]
pub(crate) static IDLE: PerCpuArray<u64, 1> = PerCpuArray::new();

/// When this CPU entered each soft interrupt.
#[btf_map]
pub(crate) static SOFTIRQS: PerCpuArray<u64, VECTORS> = PerCpuArray::new();

/// The hard interrupts that this CPU is in.
#[btf_map]
pub(crate) static HARDIRQS: PerCpuArray<Handlers, 1> = PerCpuArray::new();

/// Block requests by address.
#[btf_map]
pub(crate) static REQUESTS: HashMap<u64, Request, 8192> = HashMap::new();

/// Calls of each target, whether a lane wants them or not.
#[btf_map]
pub(crate) static TARGET_HITS: PerCpuArray<u64, TARGETS> = PerCpuArray::new();

/// Functions that threads are in, by thread id.
#[btf_map]
pub(crate) static FRAMES: HashMap<u32, Frames, 4096> = HashMap::new();

/// Functions that goroutines are in.
#[btf_map]
pub(crate) static GOROUTINES: HashMap<Goroutine, Frames, 4096> = HashMap::new();

/// Functions of the kernel that threads are in, by thread id; those that interrupts are in by CPU.
#[btf_map]
pub(crate) static KERNEL_FRAMES: HashMap<u32, Frames, 2048> = HashMap::new();

/// A thread that is in none.
#[btf_map]
pub(crate) static NEW_FRAMES: Array<Frames, 1> = Array::new();

/// When the timer of this CPU fired last.
#[btf_map]
pub(crate) static TICKS: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Tracepoints by the cookie that their program is attached with.
#[btf_map]
pub(crate) static POINTS: HashMap<u64, Point, POINTS_MAX> = HashMap::new();

/// Pairs of tracepoints by lane.
#[btf_map]
pub(crate) static PAIRS: Array<Pair, PAIRS_MAX> = Array::new();

/// The tracepoint that fires on this CPU.
#[btf_map]
pub(crate) static EVENT: PerCpuArray<Event, 1> = PerCpuArray::new();

/// Pairs that have begun.
#[btf_map]
pub(crate) static STARTS: LruHashMap<StartKey, Start, 8192> = LruHashMap::new();

/// Packets that devices have handed over, by the address of their data.
#[btf_map]
pub(crate) static RECEIVED: LruHashMap<u64, Received, 8192> = LruHashMap::new();
