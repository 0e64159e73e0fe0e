//! Histograms that the kernel counts, against the samples of the same sockets.

use std::collections::BTreeMap;

use super::{Cgroup, collector, measured, of, server, spec, talk};
use crate::{
    histogram::Histogram,
    packet::live_tests::read,
    proto::{
        EndReason, Filter, GroupBy, LossStage, Metric, Sample, SessionSpec, SocketProbe, probe,
    },
    session::Session,
    testing::trimmed,
};

fn by(mut spec: SessionSpec, group_by: &[GroupBy]) -> SessionSpec {
    let collection = spec.collection.get_or_insert_default();
    collection.group_by = group_by.iter().map(|it| *it as i32).collect();
    spec
}

fn only(mut spec: SessionSpec, metric: Metric) -> SessionSpec {
    spec.probes[0].kind = Some(probe::Kind::Socket(SocketProbe {
        cgroup_path: String::new(),
        metrics: vec![metric.into()],
    }));
    spec
}

fn of_samples<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Histogram {
    let mut histogram = Histogram::new(3);
    for sample in samples {
        histogram.record(super::latency(sample).as_nanos() as u64);
    }
    histogram
}

/// What was counted of a metric, by the value of a key.
fn counted(session: &Session, metric: Metric, key: &str) -> BTreeMap<String, Histogram> {
    let histograms = session.histograms().unwrap();
    let mut all = BTreeMap::new();
    for (group, histogram) in histograms {
        if group.metric == i32::from(metric) {
            let key = group.keys.get(key).cloned().unwrap_or_default();
            assert!(all.insert(key, histogram).is_none());
        }
    }
    all
}

#[test]
fn rule_28_the_kernel_counts_what_the_samples_show() {
    let collector = collector();
    let (server, port) = server();
    let session = collector.start(&spec(port, Filter::default())).unwrap();
    talk(&server, 50);
    let histograms = {
        session.stop(EndReason::SessionStopped);
        [Metric::SocketConnect, Metric::SocketRtt].map(|it| counted(&session, it, ""))
    };
    let samples = measured(&session);
    for (metric, histograms) in [Metric::SocketConnect, Metric::SocketRtt]
        .iter()
        .zip(histograms)
    {
        let samples = of(&samples, *metric);
        assert!(!samples.is_empty());
        let [(_, counted)] = &histograms.into_iter().collect::<Vec<_>>()[..] else {
            panic!("one histogram of {metric:?}");
        };
        assert_eq!(
            trimmed(counted),
            trimmed(&of_samples(samples)),
            "{metric:?}"
        );
    }
}

#[test]
fn histograms_alone_give_no_sample_and_the_books_balance() {
    let collector = collector();
    let (server, port) = server();
    let mut spec = by(spec(port, Filter::default()), &[GroupBy::ServerPort]);
    spec.collection.get_or_insert_default().histograms_only = true;
    let session = collector.start(&spec).unwrap();
    talk(&server, 30);
    // While it runs, and when it has ended.
    let running = counted(&session, Metric::SocketConnect, "server_port");
    assert_eq!(running[&port.to_string()].count(), 1);
    session.stop(EndReason::SessionStopped);
    let (samples, _, totals) = read(&session, Sample::clone);
    assert_eq!(samples, []);
    assert_eq!(totals.losses, []);
    assert_eq!(totals.measured, totals.aggregated_only);
    let sum: u64 = session
        .histograms()
        .unwrap()
        .iter()
        .map(|it| it.1.count())
        .sum();
    assert_eq!(sum, totals.measured);
    assert!(sum > 30, "{sum}");
}

#[test]
fn groups_are_told_apart_by_name_cgroup_prefix_and_result() {
    let collector = collector();
    let (server, port) = server();
    let cgroup = Cgroup::new("series");
    let connects = |group_by| {
        let spec = by(spec(port, Filter::default()), group_by);
        collector.start(&only(spec, Metric::SocketConnect)).unwrap()
    };
    let sessions = [
        connects(&[GroupBy::Comm]),
        connects(&[GroupBy::Cgroup]),
        connects(&[GroupBy::ServerPrefix]),
        connects(&[GroupBy::Result]),
        connects(&[GroupBy::Protocol]),
        connects(&[]),
    ];
    talk(&server, 1);
    cgroup.connect(port);
    let accepted = server.accept().unwrap();
    drop((accepted, server));
    std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).unwrap_err();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|it| it.strip_prefix("0::")).unwrap();
    let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    let expected = [
        ("comm", vec![("bash", 1), (comm.trim_end(), 2)]),
        ("cgroup", vec![(own, 2), (&*cgroup.0, 1)]),
        ("server_prefix", vec![("127.0.0.0/24", 3)]),
        ("result", vec![("0", 2), ("111", 1)]),
        ("protocol", vec![("tcp", 3)]),
        ("", vec![("", 3)]),
    ];
    for (session, (key, mut expected)) in sessions.iter().zip(expected) {
        session.stop(EndReason::SessionStopped);
        let counted = counted(session, Metric::SocketConnect, key);
        let counts: Vec<(&str, u64)> = counted.iter().map(|(k, v)| (&**k, v.count())).collect();
        expected.sort_unstable();
        assert_eq!(counts, expected, "{key}");
    }
}

#[test]
fn what_comes_and_goes_leaves_a_session_s_histograms_whole() {
    let collector = collector();
    let (server, port) = server();
    let mut spec = by(spec(port, Filter::default()), &[GroupBy::ServerPort]);
    spec.collection.get_or_insert_default().histograms_only = true;
    let session = collector
        .start(&only(spec.clone(), Metric::SocketConnect))
        .unwrap();
    // Each other session is a generation of its own, and two when it goes.
    for n in 0..10 {
        talk(&server, 1);
        let other = collector
            .start(&by(spec.clone(), &[GroupBy::Comm]))
            .unwrap();
        talk(&server, 1);
        other.stop(EndReason::SessionStopped);
        let counted = counted(&session, Metric::SocketConnect, "server_port");
        assert_eq!(counted[&port.to_string()].count(), 2 * (n + 1));
    }
    session.stop(EndReason::SessionStopped);
    assert_eq!(session.totals().measured, 20);
}

#[test]
fn what_has_no_room_is_counted_with_the_others() {
    const MOST: usize = 2;
    let collector = collector();
    let (server, port) = server();
    let mut spec = by(
        spec(port, Filter::default()),
        &[GroupBy::Comm, GroupBy::Result],
    );
    let collection = spec.collection.get_or_insert_default();
    collection.histograms_only = true;
    collection.max_groups = MOST as u32;
    let session = collector.start(&only(spec, Metric::SocketConnect)).unwrap();
    for name in ["latscope-a", "latscope-b", "latscope-c", "latscope-d"] {
        let named = std::thread::Builder::new().name(name.into());
        std::thread::scope(|scope| {
            named.spawn_scoped(scope, || talk(&server, 1)).unwrap();
        });
    }
    session.stop(EndReason::SessionStopped);
    let histograms = session.histograms().unwrap();
    let count = |other: bool| -> u64 {
        let those = histograms.iter().filter(|(group, _)| group.other == other);
        those.map(|(_, it)| it.count()).sum()
    };
    assert_eq!((count(false), count(true)), (MOST as u64, 4 - MOST as u64));
    let totals = session.totals();
    assert!(
        totals
            .losses
            .iter()
            .all(|it| it.stage() != LossStage::KernelMapFull)
    );
    assert_eq!(totals.measured, 4);
}
