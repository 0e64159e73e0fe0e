//! The engine on real sockets. It sees the whole host, so every test filters by a port of its own.

mod existing;
mod histogram;
mod outcome;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use aya::util::KernelVersion;

use super::SocketEngine;
use crate::{
    cgroup,
    collector::Collector,
    metric::EngineKind,
    packet::live_tests::read,
    proto::{
        Direction, EndReason, Filter, LossStage, Metric, PortRange, Probe, Quality, Sample,
        SessionSpec, SocketProbe, probe,
    },
    session::Session,
    testing::alone,
};

const ECONNREFUSED: i64 = 111;

fn collector() -> Collector {
    Collector::new(
        "nodes/test".into(),
        vec![(EngineKind::Socket, Arc::new(SocketEngine::new()))],
    )
}

/// Sockets whose server has this port, and what else the filter says.
fn spec(port: u16, filter: Filter) -> SessionSpec {
    SessionSpec {
        probes: vec![Probe {
            kind: Some(probe::Kind::Socket(SocketProbe::default())),
            timeout: None,
        }],
        filters: vec![Filter {
            server_ports: vec![PortRange {
                first: port.into(),
                last: 0,
            }],
            ..filter
        }],
        ..SessionSpec::default()
    }
}

fn server() -> (TcpListener, u16) {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    (server, port)
}

/// Opens a connection, exchanges `rounds` messages, and closes it; gives the client's port.
fn talk(server: &TcpListener, rounds: usize) -> u16 {
    let mut here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let (mut there, _) = server.accept().unwrap();
    let mut buffer = [0; 5];
    for _ in 0..rounds {
        here.write_all(b"hello").unwrap();
        there.read_exact(&mut buffer).unwrap();
        there.write_all(b"world").unwrap();
        here.read_exact(&mut buffer).unwrap();
    }
    here.local_addr().unwrap().port()
}

/// Everything that a session measured; its books balance.
fn measured(session: &Arc<Session>) -> Vec<Sample> {
    session.stop(EndReason::SessionStopped);
    let (samples, _, totals) = read(session, Sample::clone);
    let lost: u64 = totals.losses.iter().map(|it| it.count).sum();
    assert_eq!(totals.measured, samples.len() as u64 + lost);
    assert_eq!(totals.in_flight, 0);
    samples
}

fn of(samples: &[Sample], metric: Metric) -> Vec<&Sample> {
    samples.iter().filter(|it| it.metric() == metric).collect()
}

fn latency(sample: &Sample) -> Duration {
    sample.latency.unwrap().try_into().unwrap()
}

fn derived() -> bool {
    KernelVersion::current().unwrap() < KernelVersion::new(6, 10, 0)
}

#[test]
fn a_connection_gives_its_connect_and_the_round_trips_of_both_ends() {
    let collector = collector();
    let (server, port) = server();
    let session = collector.start(&spec(port, Filter::default())).unwrap();
    let client_port = talk(&server, 20);
    let samples = measured(&session);
    let connects = of(&samples, Metric::SocketConnect);
    assert_eq!(connects.len(), 1, "{samples:?}");
    let connect = connects[0];
    assert_eq!((connect.result, connect.retries), (0, 0));
    let flow = connect.flow.as_ref().unwrap();
    assert_eq!(
        (flow.client_address.as_str(), flow.client_port),
        ("127.0.0.1", u32::from(client_port))
    );
    assert_eq!(
        (flow.server_address.as_str(), flow.server_port),
        ("127.0.0.1", u32::from(port))
    );
    assert_eq!(flow.direction(), Direction::Outbound);
    let process = connect.process.as_ref().unwrap();
    assert_eq!(process.pid, std::process::id());
    // SAFETY: the call takes nothing.
    assert_eq!(process.tid, unsafe { libc::gettid() } as u32);
    let comm = fs::read_to_string("/proc/thread-self/comm").unwrap();
    assert_eq!(process.comm, comm.trim_end());
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|it| it.strip_prefix("0::")).unwrap();
    assert_eq!(process.cgroup_path, own);
    assert_eq!(process.cgroup_id, cgroup::id(own).unwrap());
    for (direction, from_server) in [(Direction::Outbound, false), (Direction::Inbound, true)] {
        let rtts: Vec<&Sample> = of(&samples, Metric::SocketRtt)
            .into_iter()
            .filter(|it| it.flow.as_ref().unwrap().direction() == direction)
            .collect();
        assert!(rtts.len() >= 10, "{} {direction:?}", rtts.len());
        for rtt in rtts {
            assert!(latency(rtt) < Duration::from_millis(500), "{rtt:?}");
            let flow = rtt.flow.as_ref().unwrap();
            assert_eq!(flow.measured_from_server, from_server);
            assert_eq!(flow.client_port, u32::from(client_port));
            assert_eq!(
                rtt.quality.contains(&(Quality::DerivedFromSrtt as i32)),
                derived()
            );
            let process = rtt.process.as_ref().unwrap();
            // Who accepts is not known where the handshake ends.
            let expected = if from_server { 0 } else { std::process::id() };
            assert_eq!(process.pid, expected);
            assert_eq!(process.cgroup_path, own);
        }
    }
}

#[test]
fn a_refused_connect_has_its_errno() {
    let collector = collector();
    let (closed, port) = server();
    drop(closed);
    let session = collector.start(&spec(port, Filter::default())).unwrap();
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let samples = measured(&session);
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].metric(), Metric::SocketConnect);
    assert_eq!(samples[0].result, ECONNREFUSED);
    assert!(latency(&samples[0]) < Duration::from_secs(1));
}

/// A cgroup of a test's own.
struct Cgroup(String);

impl Cgroup {
    fn new(name: &str) -> Self {
        let path = format!("/latscope-{name}-{}", std::process::id());
        fs::create_dir(Self::folder(&path)).unwrap();
        Self(path)
    }

    fn folder(path: &str) -> std::path::PathBuf {
        cgroup::root().unwrap().join(&path[1..])
    }

    /// A process inside connects to the port.
    fn connect(&self, port: u16) {
        let procs = Self::folder(&self.0).join("cgroup.procs");
        let script = format!(
            "echo $$ > {} && exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'",
            procs.display()
        );
        let done = Command::new("bash")
            .args(["-c", &script])
            .stderr(Stdio::inherit())
            .status()
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(Self::folder(&self.0));
    }
}

#[test]
fn a_cgroup_filter_lets_through_its_own_and_what_is_below() {
    let collector = collector();
    let outer = Cgroup::new("outer");
    let inner = Cgroup(format!("{}/inner", outer.0));
    fs::create_dir(Cgroup::folder(&inner.0)).unwrap();
    let other = Cgroup::new("other");
    let (server, port) = server();
    let within = |path: &str| Filter {
        cgroup_paths: vec![path.into()],
        ..Filter::default()
    };
    let mut by_probe = spec(port, Filter::default());
    by_probe.probes[0].kind = Some(probe::Kind::Socket(SocketProbe {
        cgroup_path: outer.0.clone(),
        metrics: vec![Metric::SocketConnect.into()],
    }));
    let mut without = spec(port, Filter::default());
    without.exclude = vec![within(&outer.0)];
    let specs = [
        spec(port, within(&outer.0)),
        by_probe,
        spec(port, within(&inner.0)),
        without,
    ];
    let sessions = specs.map(|spec| collector.start(&spec).unwrap());
    let mut accepted = Vec::new();
    for cgroup in [&outer, &inner, &other] {
        cgroup.connect(port);
        accepted.push(server.accept().unwrap());
    }
    drop(accepted);
    let paths = sessions.each_ref().map(|session| {
        let samples = measured(session);
        let connects = of(&samples, Metric::SocketConnect);
        let paths = connects.iter().map(|it| {
            let process = it.process.as_ref().unwrap();
            assert_eq!(process.comm, "bash");
            process.cgroup_path.clone()
        });
        paths.collect::<Vec<String>>()
    });
    let both = vec![outer.0.clone(), inner.0.clone()];
    assert_eq!(
        paths,
        [
            both.clone(),
            both,
            vec![inner.0.clone()],
            vec![other.0.clone()]
        ]
    );
    drop(inner);
}

#[test]
fn a_cgroup_that_is_not_there_is_refused() {
    let filter = Filter {
        cgroup_paths: vec!["/no/such".into()],
        ..Filter::default()
    };
    let failure = collector().start(&spec(1, filter)).unwrap_err();
    assert!(
        failure.message().contains("no such cgroup"),
        "{}",
        failure.message()
    );
}

#[test]
fn filters_by_process_and_name_hold_for_those_who_connect() {
    let collector = collector();
    let (server, port) = server();
    let of_pid = |pid: u32| Filter {
        pids: vec![pid],
        ..Filter::default()
    };
    let of_comm = |comm: &str| Filter {
        comms: vec![comm.into()],
        ..Filter::default()
    };
    let comm = fs::read_to_string("/proc/thread-self/comm").unwrap();
    let filters = [
        of_pid(std::process::id()),
        of_pid(1),
        of_comm(comm.trim_end()),
        of_comm("nobody"),
    ];
    let sessions = filters.map(|filter| collector.start(&spec(port, filter)).unwrap());
    talk(&server, 3);
    let counts = sessions
        .each_ref()
        .map(|session| of(&measured(session), Metric::SocketConnect).len());
    assert_eq!(counts, [1, 0, 1, 0]);
}

#[test]
fn a_timeout_that_ran_out_is_told_with_the_retransmission() {
    alone(|| {
        let collector = collector();
        let (server, port) = server();
        let session = collector.start(&spec(port, Filter::default())).unwrap();
        let mut here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let (mut there, _) = server.accept().unwrap();
        let mut round = || {
            here.write_all(b"hello").unwrap();
            there.read_exact(&mut [0; 5]).unwrap();
        };
        round();
        let tc = |arguments: &[&str]| {
            let done = Command::new("tc").args(arguments).status().unwrap();
            assert!(done.success(), "tc {arguments:?}");
        };
        tc(&["qdisc", "add", "dev", "lo", "clsact"]);
        // Drops everything: 2 is TC_ACT_SHOT.
        tc(&[
            "filter",
            "add",
            "dev",
            "lo",
            "ingress",
            "bpf",
            "bytecode",
            "1,6 0 0 2",
            "direct-action",
        ]);
        let lifts = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
        });
        here.write_all(b"again").unwrap();
        lifts.join().unwrap();
        tc(&["qdisc", "del", "dev", "lo", "clsact"]);
        there.read_exact(&mut [0; 5]).unwrap();
        let samples = measured(&session);
        let resent = of(&samples, Metric::SocketRetransmit);
        assert!(!resent.is_empty(), "{samples:?}");
        for (n, sample) in resent.iter().enumerate() {
            // TCP_RTO_MIN, doubled each time (RFC 6298, 5.5).
            let least = Duration::from_millis(200) * 2_u32.pow(n as u32);
            assert!(latency(sample) >= least, "{sample:?}");
            assert!(latency(sample) < least * 2, "{sample:?}");
            assert_eq!(
                sample.flow.as_ref().unwrap().direction(),
                Direction::Outbound
            );
        }
    });
}

#[test]
fn the_rate_cap_drops_and_counts() {
    let collector = collector();
    let (server, port) = server();
    let mut spec = spec(port, Filter::default());
    spec.collection
        .get_or_insert_default()
        .max_samples_per_second = Some(5);
    let session = collector.start(&spec).unwrap();
    talk(&server, 300);
    session.stop(EndReason::SessionStopped);
    let (samples, _, totals) = read(&session, Sample::clone);
    let lost: u64 = totals
        .losses
        .iter()
        .filter(|it| it.stage() == LossStage::KernelRateLimit)
        .map(|it| it.count)
        .sum();
    assert!(samples.len() >= 5 && lost > 0, "{} {lost}", samples.len());
    assert_eq!(totals.measured, samples.len() as u64 + lost);
}

#[test]
fn a_changed_filter_holds_for_connections_that_were_there_before() {
    let collector = collector();
    let (server, port) = server();
    let session = collector.start(&spec(1, Filter::default())).unwrap();
    let mut here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let (mut there, _) = server.accept().unwrap();
    let mut rounds = || {
        for _ in 0..5 {
            here.write_all(b"hello").unwrap();
            there.read_exact(&mut [0; 5]).unwrap();
            there.write_all(b"world").unwrap();
            here.read_exact(&mut [0; 5]).unwrap();
        }
    };
    rounds();
    session.update(&spec(port, Filter::default())).unwrap();
    rounds();
    session.update(&spec(1, Filter::default())).unwrap();
    rounds();
    let samples = measured(&session);
    let rtts = of(&samples, Metric::SocketRtt).len();
    assert_eq!(rtts, samples.len());
    assert!((4..=12).contains(&rtts), "{rtts}");
}

#[test]
fn it_is_attached_while_there_are_sessions() {
    let collector = collector();
    let attached = |session: &Session| session.stats().unwrap().programs[0].attached_to.clone();
    let first = collector.start(&spec(1, Filter::default())).unwrap();
    let second = collector.start(&spec(2, Filter::default())).unwrap();
    assert_eq!(attached(&first), "sock_ops: /");
    let id = first.stats().unwrap().programs[0].program_id;
    first.stop(EndReason::SessionStopped);
    assert!(programs_at_root().contains(&id));
    second.stop(EndReason::SessionStopped);
    assert!(!programs_at_root().contains(&id));
}

/// Ids of the programs that are attached to the root of cgroup v2.
fn programs_at_root() -> Vec<u32> {
    #[repr(C)]
    #[derive(Default)]
    struct Query {
        target_fd: u32,
        attach_type: u32,
        flags: u32,
        attach_flags: u32,
        prog_ids: u64,
        prog_cnt: u32,
        reserved: [u32; 7],
    }
    const BPF_PROG_QUERY: libc::c_long = 16;
    const BPF_CGROUP_SOCK_OPS: u32 = 3;
    use std::os::fd::AsRawFd as _;
    let root = fs::File::open(cgroup::root().unwrap()).unwrap();
    let mut ids = vec![0_u32; 64];
    let mut query = Query {
        target_fd: root.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_SOCK_OPS,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: 64,
        ..Query::default()
    };
    // SAFETY: the kernel writes at most `prog_cnt` ids, and the rest of the query.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_QUERY,
            &raw mut query,
            size_of::<Query>(),
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    ids.truncate(query.prog_cnt as usize);
    ids
}
