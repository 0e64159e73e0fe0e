//! What the maps take of the kernel's memory.

use std::{collections::BTreeMap, sync::Arc};

use aya::{
    maps::loaded_maps,
    util::{KernelVersion, nr_cpus},
};

use super::{
    PacketEngine, Tables,
    object::{Clock, Hook, Object},
    shards,
};
use crate::{
    collector::Collector,
    failure::Reason,
    metric::EngineKind,
    proto::{EndReason, Probe, SessionSpec, TcpProbe, probe},
    testing::alone,
};

/// Entries of each map, by name, as the kernel says, and the bytes that all set aside.
fn loaded(tables: Tables) -> (BTreeMap<String, u32>, u64) {
    let mut object = Object::open(Clock::Kernel, shards::count(), tables).unwrap();
    for hook in Hook::ALL {
        object.program(hook).unwrap();
    }
    let ids: Vec<u32> = object
        .loaded()
        .flat_map(|(_, _, program)| program.info().unwrap().map_ids().unwrap().unwrap())
        .collect();
    let entries = loaded_maps()
        .flatten()
        .filter(|it| ids.contains(&it.id()))
        .map(|it| (it.name_as_str().unwrap().to_owned(), it.max_entries()))
        .collect();
    (entries, set_aside(object.map_bytes()))
}

/// Of these bytes, those that are taken from the start. Kernels before 6.4 count the table of addresses as large as it could
/// become, later ones what is in it.
fn set_aside(bytes: u64) -> u64 {
    const ADDRESSES: u64 = 65_536 * 96;
    if KernelVersion::current().unwrap() < KernelVersion::new(6, 4, 0) {
        bytes - ADDRESSES
    } else {
        bytes
    }
}

#[test]
fn by_default_all_maps_together_take_16_mb_on_two_cpus() {
    /// Classes and counters, entries that each CPU sets aside, and where there are more than four CPUs, histograms.
    const EACH_MORE: u64 = 1_050_000;
    alone(|| {
        let engine = Arc::new(PacketEngine::default());
        let collector = Collector::new("nodes/test".into(), vec![(EngineKind::Packet, engine)]);
        let session = collector
            .start(&SessionSpec {
                probes: vec![Probe {
                    kind: Some(probe::Kind::Tcp(TcpProbe::default())),
                    timeout: None,
                }],
                ..SessionSpec::default()
            })
            .unwrap();
        let bytes = set_aside(session.stats().unwrap().kernel_memory_bytes);
        let more = nr_cpus().unwrap().saturating_sub(2) as u64;
        assert!(
            (12_000_000..=16_000_000 + more * EACH_MORE).contains(&bytes),
            "{bytes}"
        );
        session.stop(EndReason::SessionStopped);
    });
}

#[test]
fn tables_are_as_large_as_asked_for() {
    let (usual, usual_bytes) = loaded(Tables::default());
    assert_eq!((usual["FLOWS4"], usual["FLOWS6"]), (12_288, 6144));
    let (few, few_bytes) = loaded(Tables::for_flows(2048).unwrap());
    let shares = [
        ("FLOWS4", 1536),
        ("FLOWS6", 768),
        ("UDP_FLOWS4", 512),
        ("UDP_FLOWS6", 256),
        ("HALF_OPEN4", 128),
        ("HALF_OPEN6", 64),
        ("PENDING4", 512),
        ("PENDING6", 256),
        ("TRANSACTIONS", 512),
    ];
    // Each CPU sets some aside, which must not be all.
    let fewest = 192 * nr_cpus().unwrap() as u32;
    for (name, entries) in shares {
        let expected = (entries.max(fewest), (8 * entries).max(fewest));
        assert_eq!((few[name], usual[name]), expected, "{name}");
    }
    // As many of all three that histograms take, and fewer than usual.
    assert!((320..usual["HISTOGRAMS"]).contains(&few["HISTOGRAMS"]));
    for (name, map) in [("SERIES", &few), ("FREE", &few), ("SERIES", &usual)] {
        assert_eq!(map[name], map["HISTOGRAMS"]);
    }
    assert!(few_bytes < usual_bytes / 3, "{few_bytes} of {usual_bytes}");
}

#[test]
fn other_sizes_are_refused() {
    for flows in [0, 1023, 1_048_577, u32::MAX] {
        let failure = Tables::for_flows(flows).unwrap_err();
        assert_eq!(failure.reason(), Reason::FieldInvalid);
        assert_eq!(failure.violations()[0].field, "packet_flows");
        assert!(failure.message().contains(&flows.to_string()));
    }
    for flows in [1024, 1_048_576] {
        assert_eq!(Tables::for_flows(flows).unwrap().flows, flows);
    }
}
