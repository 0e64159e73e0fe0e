//! The engine on real packets, in a network namespace of the test's own.

mod namespace;
mod nonlinear;

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aya::util::KernelVersion;
use prost::Message as _;

use super::PacketEngine;
use crate::{
    collector::Collector,
    histogram::Histogram,
    metric::EngineKind,
    proto::{
        Collection, EndReason, Filter, GroupBy, LossStage, Metric, PortRange, Probe, RefusalReason,
        Sample, SessionSpec, StreamSamplesRequest, StreamSamplesResponse, TcpProbe, Totals,
        UdpProbe, probe, stream_samples_request, stream_samples_response::Event,
    },
    reader::Reader,
    scope::Scope,
    session::Session,
    testing::{alone, until},
};

fn collector() -> Collector {
    Collector::new(
        "nodes/test".into(),
        vec![(EngineKind::Packet, Arc::new(PacketEngine::default()))],
    )
}

fn tcp_spec(port: Option<u16>) -> SessionSpec {
    let ports = |port: u16| PortRange {
        first: port.into(),
        last: 0,
    };
    SessionSpec {
        probes: vec![Probe {
            kind: Some(probe::Kind::Tcp(TcpProbe::default())),
            timeout: None,
        }],
        filters: port
            .map(|port| Filter {
                server_ports: vec![ports(port)],
                ..Filter::default()
            })
            .into_iter()
            .collect(),
        ..SessionSpec::default()
    }
}

/// Opens a connection to `server`, exchanges `rounds` messages, and closes it.
fn talk(server: &TcpListener, rounds: usize) {
    let mut here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let (mut there, _) = server.accept().unwrap();
    let mut buffer = [0; 5];
    for _ in 0..rounds {
        here.write_all(b"hello").unwrap();
        there.read_exact(&mut buffer).unwrap();
        there.write_all(b"world").unwrap();
        here.read_exact(&mut buffer).unwrap();
    }
}

/// Metrics and server ports of everything in a session's history, and the totals at its end.
fn all_of(session: &Arc<Session>) -> (Vec<(Metric, u32)>, Totals, Totals) {
    read(session, |it| {
        (it.metric(), it.flow.as_ref().unwrap().server_port)
    })
}

/// Metrics and latencies.
fn latencies_of(session: &Arc<Session>) -> (Vec<(Metric, Duration)>, Totals, Totals) {
    read(session, |it| {
        (it.metric(), it.latency.unwrap().try_into().unwrap())
    })
}

pub(crate) fn read<T>(
    session: &Arc<Session>,
    pick: impl Fn(&Sample) -> T,
) -> (Vec<T>, Totals, Totals) {
    let request = StreamSamplesRequest {
        source: Some(stream_samples_request::Source::Session(
            "sessions/test".into(),
        )),
        no_follow: true,
        ..StreamSamplesRequest::default()
    };
    let reader = Reader::open(
        session.clone(),
        &request,
        ("nodes/test", "sessions/test"),
        &Scope::default(),
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut samples = Vec::new();
    runtime.block_on(async {
        while let Some(bytes) = reader.next().await.unwrap() {
            match StreamSamplesResponse::decode(&bytes[..])
                .unwrap()
                .event
                .unwrap()
            {
                Event::Rows(rows) => samples.extend(rows.samples.iter().map(&pick)),
                Event::End(end) => {
                    return (samples, end.totals.unwrap(), end.session_totals.unwrap());
                }
                _ => {}
            }
        }
        panic!("the stream had no End");
    })
}

/// What programs hang on.
fn hook() -> &'static str {
    if KernelVersion::current().unwrap() >= KernelVersion::new(6, 6, 0) {
        "tcx"
    } else {
        "clsact"
    }
}

fn count(samples: &[(Metric, u32)], metric: Metric) -> usize {
    samples.iter().filter(|it| it.0 == metric).count()
}

#[test]
fn rule_20_loopback_counts_once_and_the_books_balance() {
    alone(|| {
        let collector = collector();
        let session = collector.start(&tcp_spec(None)).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            talk(&server, 3);
        }
        session.stop(EndReason::SessionStopped);
        let (samples, reader, totals) = all_of(&session);
        assert_eq!(count(&samples, Metric::TcpHandshakeRemote), 10);
        assert_eq!(count(&samples, Metric::TcpHandshakeLocal), 10);
        assert_eq!(count(&samples, Metric::TcpFirstByte), 30);
        let rtts = count(&samples, Metric::TcpRtt);
        assert!((30..=100).contains(&rtts), "{rtts}");
        assert_eq!(totals.measured, samples.len() as u64);
        assert_eq!((totals.delivered, totals.in_flight), (totals.measured, 0));
        assert_eq!(totals.losses, []);
        assert_eq!(reader.delivered, totals.delivered);
    });
}

#[test]
fn each_session_sees_what_its_filter_lets_through() {
    alone(|| {
        let collector = collector();
        let servers: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let port = |n: usize| servers[n].local_addr().unwrap().port();
        let sessions: Vec<_> = (0..2)
            .map(|n| collector.start(&tcp_spec(Some(port(n)))).unwrap())
            .collect();
        for server in &servers {
            talk(server, 2);
        }
        for (n, session) in sessions.iter().enumerate() {
            session.stop(EndReason::SessionStopped);
            let (samples, _, totals) = all_of(session);
            assert_eq!(count(&samples, Metric::TcpHandshakeRemote), 1);
            assert!(
                samples.iter().all(|it| it.1 == u32::from(port(n))),
                "{samples:?}"
            );
            assert_eq!(totals.measured, samples.len() as u64);
        }
    });
}

#[test]
fn a_changed_filter_holds_for_flows_that_were_there_before() {
    alone(|| {
        let collector = collector();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let other = if port == 9 { 10 } else { 9 };
        let session = collector.start(&tcp_spec(Some(other))).unwrap();
        let mut here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (mut there, _) = server.accept().unwrap();
        let mut round = || {
            let mut buffer = [0; 5];
            here.write_all(b"hello").unwrap();
            there.read_exact(&mut buffer).unwrap();
            there.write_all(b"world").unwrap();
            here.read_exact(&mut buffer).unwrap();
        };
        round();
        session.update(&tcp_spec(Some(port))).unwrap();
        for _ in 0..5 {
            round();
        }
        session.update(&tcp_spec(Some(other))).unwrap();
        round();
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        assert_eq!(count(&samples, Metric::TcpHandshakeRemote), 0);
        assert!(
            (3..=12).contains(&count(&samples, Metric::TcpRtt)),
            "{samples:?}"
        );
        assert_eq!(totals.measured, samples.len() as u64);
    });
}

#[test]
fn what_began_while_nobody_listened_ends_nothing() {
    alone(|| {
        let collector = collector();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let first = collector.start(&tcp_spec(None)).unwrap();
        let mut here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (mut there, _) = server.accept().unwrap();
        let mut buffer = [0; 5];
        here.write_all(b"hello").unwrap();
        there.read_exact(&mut buffer).unwrap();
        first.stop(EndReason::SessionStopped);
        let gap = Duration::from_millis(300);
        std::thread::sleep(gap);
        let second = collector.start(&tcp_spec(None)).unwrap();
        there.write_all(b"world").unwrap();
        here.read_exact(&mut buffer).unwrap();
        here.write_all(b"again").unwrap();
        there.read_exact(&mut buffer).unwrap();
        second.stop(EndReason::SessionStopped);
        let (samples, _, _) = latencies_of(&second);
        assert_eq!(
            samples
                .iter()
                .filter(|it| it.0 == Metric::TcpFirstByte)
                .count(),
            0,
            "{samples:?}"
        );
        assert!(samples.iter().all(|it| it.1 < gap), "{samples:?}");
    });
}

/// Latencies in nanoseconds of everything in a session's history, by metric and server port, as histograms.
fn counted(session: &Arc<Session>) -> HashMap<(i32, String), Histogram> {
    let (samples, _, _) = read(session, |it| {
        let port = it.flow.as_ref().unwrap().server_port.to_string();
        let latency: Duration = it.latency.unwrap().try_into().unwrap();
        ((it.metric, port), latency.as_nanos() as u64)
    });
    let mut histograms = HashMap::new();
    for (key, latency) in samples {
        histograms
            .entry(key)
            .or_insert_with(|| Histogram::new(3))
            .record(latency);
    }
    histograms
}

#[test]
fn histograms_count_what_the_samples_say_whoever_comes_and_goes() {
    alone(|| {
        let collector = collector();
        let mut spec = tcp_spec(None);
        spec.collection.get_or_insert_default().group_by = vec![GroupBy::ServerPort.into()];
        let session = collector.start(&spec).unwrap();
        let servers: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        for round in 0..30 {
            let server = &servers[round % 3];
            let port = servers[round % 2].local_addr().unwrap().port();
            let mut other = tcp_spec((round % 4 > 0).then_some(port));
            other.collection.get_or_insert_default().histograms_only = round % 2 == 0;
            let other = collector.start(&other).unwrap();
            talk(server, 5);
            // Seen by somebody meanwhile, and no more than what is there.
            assert!(!session.histograms().unwrap().is_empty());
            other.stop(EndReason::SessionStopped);
            talk(server, 1);
        }
        session.stop(EndReason::SessionStopped);
        let expected = counted(&session);
        let histograms = session.histograms().unwrap();
        assert_eq!(histograms.len(), expected.len());
        for (group, kernel) in histograms {
            let user = &expected[&(group.metric, group.keys["server_port"].clone())];
            let shape = |it: &Histogram| (it.count(), it.sum_ns(), it.min_ns(), it.max_ns());
            assert_eq!(shape(&kernel), shape(user), "{group:?}");
            for step in 0..=100_u8 {
                let quantile = f64::from(step) / 100.0;
                assert_eq!(kernel.quantile(quantile), user.quantile(quantile));
            }
        }
    });
}

#[test]
fn histograms_alone_leave_no_sample_and_balance_the_books() {
    alone(|| {
        let collector = collector();
        let mut spec = tcp_spec(None);
        *spec.collection.get_or_insert_default() = Collection {
            histograms_only: true,
            group_by: vec![GroupBy::ServerPort.into(), GroupBy::Interface.into()],
            max_groups: 6,
            ..Collection::default()
        };
        let session = collector.start(&spec).unwrap();
        let servers: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        for server in &servers {
            talk(server, 4);
        }
        // A change of the session's own, in the middle of it.
        spec.collection.get_or_insert_default().ipv4_prefix_length = 8;
        session.update(&spec).unwrap();
        talk(&servers[0], 4);
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        assert_eq!(samples, []);
        assert_eq!(totals.measured, totals.aggregated_only);
        let histograms = session.histograms().unwrap();
        let counts = histograms.iter().map(|it| it.1.count());
        assert_eq!(counts.sum::<u64>(), totals.measured);
        let (other, named): (Vec<_>, Vec<_>) = histograms.iter().partition(|it| it.0.other);
        assert_eq!(named.len(), 6);
        assert!(named.iter().all(|it| it.0.keys["interface"] == "lo"));
        assert!(!other.is_empty() && other.iter().all(|it| it.0.keys.is_empty()));
        let handshakes: u64 = histograms
            .iter()
            .filter(|it| it.0.metric() == Metric::TcpHandshakeRemote)
            .map(|it| it.1.count())
            .sum();
        assert_eq!(handshakes, 4);
    });
}

#[test]
fn faster_samples_are_left_out_and_counted() {
    alone(|| {
        let collector = collector();
        let mut spec = tcp_spec(None);
        let least = Duration::from_secs(1);
        spec.collection.get_or_insert_default().sample_min_latency = least.try_into().ok();
        let session = collector.start(&spec).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        talk(&server, 3);
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        assert_eq!(samples, []);
        assert!(totals.aggregated_only >= 6, "{totals:?}");
        assert_eq!(totals.measured, totals.aggregated_only);
    });
}

#[test]
fn flows_that_nobody_asked_for_take_no_room() {
    alone(|| {
        let collector = collector();
        let session = collector.start(&tcp_spec(None)).unwrap();
        let (a, b) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
        );
        for _ in 0..3 {
            a.send_to(b"ping", b.local_addr().unwrap()).unwrap();
            b.recv(&mut [0; 9]).unwrap();
            b.send_to(b"pong", a.local_addr().unwrap()).unwrap();
            a.recv(&mut [0; 9]).unwrap();
        }
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        assert_eq!((samples, totals.measured), (vec![], 0));
    });
}

#[test]
fn rule_21_what_the_table_gave_up_is_counted_for_those_without_a_filter() {
    const BURSTS: u64 = 20_000;
    const ROOM: u64 = 4096;
    alone(|| {
        let collector = collector();
        let udp = |port: Option<u16>| SessionSpec {
            probes: vec![Probe {
                kind: Some(probe::Kind::Udp(UdpProbe::default())),
                timeout: None,
            }],
            ..tcp_spec(port)
        };
        let filtered = collector.start(&udp(Some(7))).unwrap();
        let before = UdpSocket::bind("127.0.0.1:0").unwrap();
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = silent.local_addr().unwrap();
        before.send_to(b"x", to).unwrap();
        let session = collector.start(&udp(None)).unwrap();
        for _ in 0..BURSTS {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"x", to).unwrap();
        }
        let unanswered = |session: &Arc<Session>| {
            session.stop(EndReason::SessionStopped);
            let (samples, _, totals) = all_of(session);
            assert_eq!((samples, totals.measured), (vec![], 0));
            totals
                .refusals
                .iter()
                .filter(|it| it.reason() == RefusalReason::UnmatchedStart)
                .map(|it| it.count)
                .sum::<u64>()
        };
        let count = unanswered(&session);
        // Ports come again; those that wait are in the table.
        assert!((BURSTS / 4..=BURSTS - ROOM / 2).contains(&count), "{count}");
        assert_eq!(unanswered(&filtered), 0);
    });
}

#[test]
fn the_rate_cap_drops_and_counts() {
    alone(|| {
        let collector = collector();
        let mut spec = tcp_spec(None);
        spec.collection
            .get_or_insert_default()
            .max_samples_per_second = Some(10);
        let session = collector.start(&spec).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        talk(&server, 200);
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        let lost: u64 = totals
            .losses
            .iter()
            .filter(|it| it.stage() == LossStage::KernelRateLimit)
            .map(|it| it.count)
            .sum();
        assert!(samples.len() >= 10 && lost > 0, "{} {lost}", samples.len());
        assert_eq!(totals.measured, samples.len() as u64 + lost);
        assert_eq!(totals.in_flight, 0);
    });
}

pub(super) fn ip(arguments: &str) {
    let done = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(done.success(), "ip {arguments}");
}

#[test]
fn a_session_sees_its_own_interfaces_whoever_comes_and_goes() {
    alone(|| {
        ip("link add v0 type veth peer name v1");
        ip("link set v0 up");
        ip("link set v1 up");
        let collector = collector();
        let watching = |interface: &str| SessionSpec {
            interfaces: vec![interface.into()],
            ..tcp_spec(None)
        };
        let session = collector.start(&watching("v0")).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let talking = std::thread::spawn({
            let done = done.clone();
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            move || {
                let mut rounds = 0;
                while !done.load(Ordering::Relaxed) {
                    talk(&server, 20);
                    rounds += 1;
                }
                rounds
            }
        });
        for _ in 0..10 {
            let other = collector.start(&watching("lo")).unwrap();
            until("the other sees something", || other.totals().measured > 0);
            other.stop(EndReason::SessionStopped);
        }
        done.store(true, Ordering::Relaxed);
        assert!(talking.join().unwrap() > 0);
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        assert_eq!((samples, totals.measured), (vec![], 0));
    });
}

#[test]
fn sessions_with_different_interfaces_tell_the_same_latencies() {
    alone(|| {
        let collector = collector();
        let everywhere = collector.start(&tcp_spec(None)).unwrap();
        let here = collector
            .start(&SessionSpec {
                interfaces: vec!["lo".into()],
                ..tcp_spec(None)
            })
            .unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..20 {
            talk(&server, 5);
        }
        let all = [everywhere, here].map(|session| {
            session.stop(EndReason::SessionStopped);
            let mut latencies = latencies_of(&session).0;
            latencies.sort();
            latencies
        });
        assert!(all[0].len() >= 20 * 8, "{}", all[0].len());
        assert_eq!(all[0], all[1]);
    });
}

#[test]
fn interfaces_that_come_and_go_are_followed() {
    alone(|| {
        let collector = collector();
        let session = collector.start(&tcp_spec(None)).unwrap();
        let attached = || session.stats().unwrap().programs[0].attached_to.clone();
        let at = |interfaces: &str| format!("{} ingress: {interfaces}", hook());
        assert_eq!(attached(), at("lo"));
        ip("link add v0 type veth peer name v1");
        ip("link set v0 up");
        ip("link set v1 up");
        until("both are attached to", || attached() == at("lo, v0, v1"));
        ip("link set v1 down");
        until("one that is down is left", || attached() == at("lo, v0"));
        ip("link del v0");
        until("one that is gone is forgotten", || attached() == at("lo"));
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        talk(&server, 1);
        session.stop(EndReason::SessionStopped);
        let (samples, _, totals) = all_of(&session);
        assert_eq!(count(&samples, Metric::TcpHandshakeRemote), 1);
        assert_eq!(totals.measured, samples.len() as u64);
    });
}

#[test]
fn a_quiet_session_knows_how_far_it_is() {
    alone(|| {
        let collector = collector();
        let session = collector.start(&tcp_spec(None)).unwrap();
        let begun = Instant::now();
        // Told by the reader thread when it goes to sleep.
        while session.log().watermark() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(5), "no watermark");
            std::thread::yield_now();
        }
        let first = session.log().watermark();
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64;
        assert!(first <= wall, "{first} {wall}");
        while session.log().watermark() <= first {
            assert!(begun.elapsed() < Duration::from_secs(5), "it stands still");
            std::thread::yield_now();
        }
    });
}

#[test]
fn sessions_come_and_go_without_a_trace() {
    alone(|| {
        let collector = collector();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        collector
            .start(&tcp_spec(None))
            .unwrap()
            .stop(EndReason::SessionStopped);
        let before = open();
        for n in 0..50 {
            let session = collector.start(&tcp_spec(Some(n + 1))).unwrap();
            session.stop(EndReason::SessionStopped);
            session.close();
        }
        // Other tests of this process open and close descriptors meanwhile.
        assert!(open() < before + 40, "{before} {}", open());
    });
}

#[test]
fn verifying_loads_the_programs_and_attaches_nothing() {
    alone(|| {
        let collector = collector();
        let (checked, programs) = collector.verify(&tcp_spec(None)).unwrap();
        assert_eq!(
            checked.effective.limits.unwrap().history_bytes,
            Some(32 << 20)
        );
        let names: Vec<&str> = programs.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["latscope_in", "latscope_out"]);
        for program in &programs {
            assert_eq!((program.attached_to.as_str(), program.shared), ("", false));
            assert_eq!(program.r#type, "sched_cls");
            assert!(program.verified_instructions > 1_000, "{program:?}");
            assert!(program.bytecode_bytes > 1_000 && program.jited_bytes > 1_000);
            assert!(program.load_time.unwrap().nanos > 0 && program.map_bytes > 1 << 20);
        }
        let unknown = SessionSpec {
            interfaces: vec!["nowhere0".into()],
            ..tcp_spec(None)
        };
        let failure = collector.verify(&unknown).unwrap_err();
        assert_eq!(failure.violations()[0].field, "spec.interfaces[0]");
    });
}

#[test]
fn the_road_of_each_program_is_told() {
    alone(|| {
        let collector = collector();
        let session = collector.start(&tcp_spec(None)).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        talk(&server, 10);
        let short = session.stats().unwrap();
        let whole = session.full_stats().unwrap();
        assert_eq!(short.programs.len(), 2);
        for (short, whole) in short.programs.iter().zip(&whole.programs) {
            assert_eq!(short.program_id, whole.program_id);
            assert!(short.bytecode.is_empty());
            assert_eq!(whole.bytecode.len(), whole.bytecode_bytes as usize);
            // Every program ends by returning, which is not always its last instruction.
            assert!(whole.bytecode.chunks(8).any(|it| it[0] == 0x95));
            // Each of 10 rounds passes in both directions.
            assert!(short.run_count.unwrap() >= 20 && short.run_time_ns.unwrap() > 0);
            assert!(
                short.attached_to.ends_with("gress: lo"),
                "{}",
                short.attached_to
            );
        }
        let status = collector.status().unwrap();
        let bpf = status.bpf_time.unwrap();
        assert!(bpf.seconds > 0 || bpf.nanos > 0);
        assert!(status.kernel_memory_bytes >= short.kernel_memory_bytes);
        assert!(short.kernel_memory_bytes > 1 << 20);
        session.close();
    });
}
