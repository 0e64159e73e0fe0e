//! The maps of the packet engine. Sizes are defaults; the user side may load others.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    btf_maps::{Array, ArrayOfMaps, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use latscope_events::{
    class::{CLASSES, ClassStats, GroupStats},
    config::{Clauses, Config, Control, Interface, TrieKey},
    counter::Counters,
    flow::{Flow, FlowKey4, FlowKey6, GROUPS},
    histogram::Histogram,
    options::Options,
    pending::{Pending, TransactionKey},
    sample::{SHARD_BYTES, SHARDS},
    series::{GROUPINGS, SeriesKey, pool},
    table::{FLOWS, entries, share},
};

use crate::{classify::Work, dns::ROOM, packet::Packet};

/// The generation of the session set.
#[btf_map]
pub(crate) static CONTROL: Array<Control, 1> = Array::new();

/// What the reader says of itself, for each ring: `sample::wake`.
#[btf_map]
pub(crate) static WAKE: Array<u32, SHARDS> = Array::new();

/// The session set, one bank a generation parity.
#[btf_map]
pub(crate) static CONFIG: Array<Config, 2> = Array::new();

/// What sessions ask of single metrics, one bank a generation parity.
#[btf_map]
pub(crate) static OPTIONS: Array<Options, 2> = Array::new();

/// Interfaces that are watched, by ifindex. Only the user side adds to them, so room need not be there before they are.
#[btf_map]
pub(crate) static INTERFACES: HashMap<u32, Interface, 4096, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

/// Filter clauses by address and port.
#[btf_map]
pub(crate) static TRIE: LpmTrie<TrieKey, Clauses, 65536> = LpmTrie::new();

/// TCP flows of IPv4 seen in both directions.
#[btf_map]
pub(crate) static FLOWS4: LruHashMap<FlowKey4, Flow, { entries(FLOWS, share::FLOWS4) }> =
    LruHashMap::new();

/// TCP flows of IPv6 seen in both directions.
#[btf_map]
pub(crate) static FLOWS6: LruHashMap<FlowKey6, Flow, { entries(FLOWS, share::FLOWS6) }> =
    LruHashMap::new();

/// UDP flows of IPv4 seen in both directions: anybody's datagrams are answered somewhere, and must not push out connections.
#[btf_map]
pub(crate) static UDP_FLOWS4: LruHashMap<FlowKey4, Flow, { entries(FLOWS, share::UDP_FLOWS4) }> =
    LruHashMap::new();

/// UDP flows of IPv6 seen in both directions.
#[btf_map]
pub(crate) static UDP_FLOWS6: LruHashMap<FlowKey6, Flow, { entries(FLOWS, share::UDP_FLOWS6) }> =
    LruHashMap::new();

/// IPv4 flows whose SYN-ACK was seen, but not that the opener heard it: a flood of SYNs that a server answers gets no further.
#[btf_map]
pub(crate) static HALF_OPEN4: LruHashMap<FlowKey4, Flow, { entries(FLOWS, share::HALF_OPEN4) }> =
    LruHashMap::new();

/// IPv6 flows whose SYN-ACK was seen, but not that the opener heard it.
#[btf_map]
pub(crate) static HALF_OPEN6: LruHashMap<FlowKey6, Flow, { entries(FLOWS, share::HALF_OPEN6) }> =
    LruHashMap::new();

/// IPv4 peers heard from one side only.
#[btf_map]
pub(crate) static PENDING4: LruHashMap<FlowKey4, Pending, { entries(FLOWS, share::PENDING4) }> =
    LruHashMap::new();

/// IPv6 peers heard from one side only.
#[btf_map]
pub(crate) static PENDING6: LruHashMap<FlowKey6, Pending, { entries(FLOWS, share::PENDING6) }> =
    LruHashMap::new();

/// Requests that bear an id and wait for their answer.
#[btf_map]
pub(crate) static TRANSACTIONS: LruHashMap<
    TransactionKey,
    Pending,
    { entries(FLOWS, share::TRANSACTIONS) },
> = LruHashMap::new();

/// The mask of each class, two banks.
#[btf_map]
pub(crate) static CLASS_MASKS: Array<u64, { 2 * CLASSES }> = Array::new();

/// Counters of each class, two banks.
#[btf_map]
pub(crate) static CLASS_STATS: PerCpuArray<ClassStats, { 2 * CLASSES }> = PerCpuArray::new();

/// Latencies by size.
#[btf_map]
pub(crate) static HISTOGRAMS: PerCpuArray<Histogram, 2048> = PerCpuArray::new();

/// Which histogram is whose.
#[btf_map]
pub(crate) static SERIES: HashMap<SeriesKey, u32, 2048> = HashMap::new();

/// Histograms that are nobody's.
#[btf_map]
pub(crate) static FREE: Array<u32, 2048> = Array::new();

/// Where in [`FREE`] one is taken and put: `series::pool`.
#[btf_map]
pub(crate) static POOL: Array<u64, { pool::WORDS }> = Array::new();

/// Histograms that each way of grouping has, two banks.
#[btf_map]
pub(crate) static SERIES_OF: Array<u64, { 2 * GROUPINGS }> = Array::new();

/// A histogram's number + 1 that this CPU took and found no use for.
#[btf_map]
pub(crate) static SPARE: PerCpuArray<u32, 1> = PerCpuArray::new();

/// Room for a key: the stack is too small.
#[btf_map]
pub(crate) static SERIES_KEY: PerCpuArray<SeriesKey, 1> = PerCpuArray::new();

/// Refusals outside flows.
#[btf_map]
pub(crate) static GROUP_STATS: PerCpuArray<GroupStats, GROUPS> = PerCpuArray::new();

/// Rate caps and losses.
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<Counters, 1> = PerCpuArray::new();

/// Room for a flow that lasts one packet (a refused connection), which must not push a real one out of the table.
#[btf_map]
pub(crate) static SCRATCH: PerCpuArray<Flow, 1> = PerCpuArray::new();

/// The packet at hand: the stack is too small for it and what follows.
#[btf_map]
pub(crate) static PACKET: PerCpuArray<Packet, 1> = PerCpuArray::new();

/// The first packet of a tuple on its way into its table, which the stack is too small for as well.
#[btf_map]
pub(crate) static HEARD: PerCpuArray<Pending, 1> = PerCpuArray::new();

/// Room for classifying a flow.
#[btf_map]
pub(crate) static WORK: PerCpuArray<Work, 1> = PerCpuArray::new();

/// The name in the DNS message at hand.
#[btf_map]
pub(crate) static NAMES: PerCpuArray<[u64; ROOM / 8], 1> = PerCpuArray::new();

/// Samples on their way to the reader, a ring for each shard of CPUs; the user side puts them in. Untyped, so that bpftool can
/// open them.
#[btf_map]
pub(crate) static SAMPLES: ArrayOfMaps<RingBuf<(), SHARD_BYTES>, SHARDS> = ArrayOfMaps::new();
