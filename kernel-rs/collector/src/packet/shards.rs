//! The rings that samples come by, one for each shard of CPUs.

use aya::{
    Ebpf,
    maps::{Array, ArrayOfMaps, Map, MapData, MapError, RingBuf},
    util::nr_cpus,
};
use aya_obj::generated::bpf_map_type;
use latscope_events::sample::{SHARD_BYTES, SHARDS};

use crate::{
    bpf::{self, take},
    failure::Failure,
    footprint,
    ring::Rings,
};

/// How many for this machine: a power of two.
pub(super) fn count() -> u32 {
    let cpus = nr_cpus().unwrap_or(1).clamp(1, SHARDS);
    1 << cpus.ilog2()
}

/// Bytes of each of so many.
pub(super) fn bytes(count: u32) -> u32 {
    SHARD_BYTES as u32 / count
}

/// Makes the rings and hands them to the programs; with the kernel memory that they take.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn make(ebpf: &mut Ebpf, count: u32) -> Result<(Rings, u64), Failure> {
    let wake: Array<MapData, u32> = take(ebpf, "WAKE")?;
    // Left in its place: programs that are loaded later ask for it.
    let places = ebpf
        .map_mut("SAMPLES")
        .ok_or_else(|| bpf::absent("map", "SAMPLES"))?;
    let mut places: ArrayOfMaps<&mut MapData, RingBuf<MapData>> = places
        .try_into()
        .map_err(|error: MapError| Failure::kernel("SAMPLES", &error))?;
    let mut rings = Vec::new();
    let mut ids = Vec::new();
    for shard in 0..count {
        let failed = |error: &dyn std::fmt::Display| Failure::kernel("creating a ring", error);
        let kind = bpf_map_type::BPF_MAP_TYPE_RINGBUF as u32;
        let map = aya_obj::Map::new_from_params(kind, 0, 0, bytes(count), 0);
        let map = MapData::create(map, "samples", None).map_err(|error| failed(&error))?;
        ids.push(map.info().map_err(|error| failed(&error))?.id());
        let ring = RingBuf::try_from(Map::RingBuf(map)).map_err(|error| failed(&error))?;
        places
            .set(shard, &ring, 0)
            .map_err(|error| failed(&error))?;
        rings.push(ring);
    }
    let maps = footprint::objects().maps;
    let memory = ids
        .iter()
        .filter_map(|id| maps.get(id))
        .map(|it| it.memory_bytes)
        .sum();
    Ok((
        Rings {
            shards: rings,
            wake,
            by_fill: true,
        },
        memory,
    ))
}
