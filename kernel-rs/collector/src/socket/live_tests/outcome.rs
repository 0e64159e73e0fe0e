//! How a connect can end.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use super::{collector, latency, measured, spec};
use crate::{
    proto::{Filter, Metric, Quality},
    session::Session,
    testing::{alone, until},
};

/// Ports that nobody else connects to: the engine sees the sockets of the whole host.
const SILENT: u16 = 4711;
const UNREACHABLE: u16 = 4712;

fn run(command: &str) {
    let done = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(done.success(), "{command}");
}

/// How long it took until the connect is measured: the kernel wakes who connects before the socket changes its state
/// (`tcp_write_err`, `tcp_v4_err`).
fn measured_since(session: &Session, begun: Instant) -> Duration {
    until("the connect is measured", || session.totals().measured > 0);
    begun.elapsed()
}

#[test]
fn one_that_nobody_answers_has_timed_out_after_all_its_syns() {
    alone(|| {
        run("tc qdisc add dev lo clsact");
        // Drops everything: 2 is TC_ACT_SHOT.
        run("tc filter add dev lo ingress bpf bytecode '1,6 0 0 2' direct-action");
        // In this thread's namespace.
        std::fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1").unwrap();
        let session = collector().start(&spec(SILENT, Filter::default())).unwrap();
        let begun = Instant::now();
        let error = TcpStream::connect((Ipv4Addr::LOCALHOST, SILENT)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let waited = measured_since(&session, begun);
        let samples = measured(&session);
        assert_eq!(samples.len(), 1, "{samples:?}");
        let connect = &samples[0];
        assert_eq!(connect.metric(), Metric::SocketConnect);
        assert_eq!(connect.result, i64::from(libc::ETIMEDOUT));
        assert_eq!(connect.quality, [Quality::SynRetransmitted as i32]);
        assert!(connect.retries >= 1);
        // A second until the SYN is sent again (RFC 6298, 2.1), and at least another for each answer that does not come.
        let least = Duration::from_millis(950) * (connect.retries + 1);
        assert!(latency(connect) >= least, "{connect:?}");
        assert!(latency(connect) <= waited, "{connect:?} {waited:?}");
    });
}

/// A router in a network namespace of its own, which knows no way to where packets want.
struct Router(String);

impl Router {
    fn new() -> Self {
        let router = Self(format!("latscope-r{}", std::process::id()));
        run(&format!("ip netns add {}", router.0));
        let inside = format!("ip netns exec {}", router.0);
        run(&format!(
            "ip link add r0 type veth peer name r1 netns {}",
            router.0
        ));
        run("ip addr add 10.77.0.1/24 dev r0 && ip link set r0 up");
        run(&format!("{inside} ip addr add 10.77.0.2/24 dev r1"));
        run(&format!("{inside} ip link set r1 up"));
        run(&format!("{inside} ip route add unreachable 10.78.0.0/24"));
        run(&format!(
            "{inside} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'"
        ));
        run("ip route add 10.78.0.0/24 via 10.77.0.2");
        router
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn one_to_where_no_way_leads_has_the_router_s_answer() {
    alone(|| {
        let _router = Router::new();
        let session = collector()
            .start(&spec(UNREACHABLE, Filter::default()))
            .unwrap();
        let begun = Instant::now();
        let error = TcpStream::connect((Ipv4Addr::new(10, 78, 0, 1), UNREACHABLE)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EHOSTUNREACH));
        let waited = measured_since(&session, begun);
        let samples = measured(&session);
        assert_eq!(samples.len(), 1, "{samples:?}");
        assert_eq!(samples[0].metric(), Metric::SocketConnect);
        assert_eq!(samples[0].result, i64::from(libc::EHOSTUNREACH));
        // An answer that comes while connect has the socket is for the next SYN to hear again.
        assert!(samples[0].retries <= 1, "{samples:?}");
        let least = Duration::from_millis(950) * samples[0].retries;
        assert!(latency(&samples[0]) >= least, "{samples:?}");
        assert!(latency(&samples[0]) <= waited, "{samples:?} {waited:?}");
    });
}
