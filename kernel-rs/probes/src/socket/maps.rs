//! The maps of the socket engine.

use aya_ebpf::{
    btf_maps::{Array, LpmTrie, PerCpuArray, PerCpuHashMap, RingBuf, SkStorage},
    macros::btf_map,
};
use latscope_events::{
    class::{CLASSES, ClassStats},
    config::{Clauses, Config, Control, TrieKey},
    counter::Counters,
    histogram::Histogram,
    socket::{SLOTS, Socket, series::SeriesKey, visited},
};

use crate::classify::Work;

/// The generation of the session set.
#[btf_map]
pub(crate) static CONTROL: Array<Control, 1> = Array::new();

/// Set to 1 by a reader that is about to sleep: the next record wakes it and clears this.
#[btf_map]
pub(crate) static WAKE: Array<u32, 1> = Array::new();

/// The session set, one bank a generation parity.
#[btf_map]
pub(crate) static CONFIG: Array<Config, 2> = Array::new();

/// Filter clauses by address, port, process, name and cgroup.
#[btf_map]
pub(crate) static TRIE: LpmTrie<TrieKey, Clauses, 65536> = LpmTrie::new();

/// What is kept with each socket.
#[btf_map]
pub(crate) static SOCKETS: SkStorage<Socket> = SkStorage::new();

/// What a visit of all sockets counts.
#[btf_map]
pub(crate) static VISITED: Array<u64, { visited::WORDS }> = Array::new();

/// The mask of each class, two banks.
#[btf_map]
pub(crate) static CLASS_MASKS: Array<u64, { 2 * CLASSES }> = Array::new();

/// Counters of each class, two banks.
#[btf_map]
pub(crate) static CLASS_STATS: PerCpuArray<ClassStats, { 2 * CLASSES }> = PerCpuArray::new();

/// Latencies by size.
#[btf_map]
pub(crate) static SERIES: PerCpuHashMap<SeriesKey, Histogram, 1024> = PerCpuHashMap::new();

/// Those that have no room there.
#[btf_map]
pub(crate) static OTHERS: PerCpuHashMap<SeriesKey, Histogram, 128> = PerCpuHashMap::new();

/// Room for a key, for each slot: the stack is too small.
#[btf_map]
pub(crate) static SERIES_KEY: PerCpuArray<SeriesKey, SLOTS> = PerCpuArray::new();

/// A histogram that has counted nothing yet.
#[btf_map]
pub(crate) static NEW_HISTOGRAM: Array<Histogram, 1> = Array::new();

/// Rate caps and losses, for each slot.
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counters, SLOTS> = PerCpuArray::new();

/// 1 for each slot of this CPU that a call uses.
#[btf_map]
pub(crate) static BUSY: PerCpuArray<u64, SLOTS> = PerCpuArray::new();

/// Room for classifying a socket, for each slot.
#[btf_map]
pub(crate) static WORK: PerCpuArray<Work, SLOTS> = PerCpuArray::new();

/// Samples on their way to the reader. Untyped, so that bpftool can open it.
#[btf_map]
pub(crate) static SAMPLES: RingBuf<(), { 1 << 20 }> = RingBuf::new();
