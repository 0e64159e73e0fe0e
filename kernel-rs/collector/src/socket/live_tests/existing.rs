//! Connections that were there before the session.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use aya::util::KernelVersion;

use super::{collector, latency, measured, of, server, spec};
use crate::{
    proto::{Direction, EndReason, Filter, Metric, PortRange},
    testing::alone,
};

/// Both ends of a connection.
struct Pair {
    here: TcpStream,
    there: TcpStream,
}

impl Pair {
    fn open(server: &TcpListener) -> Self {
        let here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        Self {
            here,
            there: server.accept().unwrap().0,
        }
    }

    fn talk(&mut self, rounds: usize) {
        let mut buffer = [0; 5];
        for _ in 0..rounds {
            self.here.write_all(b"hello").unwrap();
            self.there.read_exact(&mut buffer).unwrap();
            self.there.write_all(b"world").unwrap();
            self.here.read_exact(&mut buffer).unwrap();
        }
    }
}

/// Whether the kernel lets the callbacks of a socket be changed from outside (`TCP_BPF_SOCK_OPS_CB_FLAGS`).
fn can_be_asked() -> bool {
    KernelVersion::current().unwrap() >= KernelVersion::new(6, 12, 0)
}

/// Either end may be the one that is measured: which of them called connect is not known, and the lower port is taken for the
/// server's.
fn either(port: u16) -> Filter {
    Filter {
        ports: vec![PortRange {
            first: port.into(),
            last: 0,
        }],
        ..Filter::default()
    }
}

#[test]
fn they_are_measured_from_then_on_where_the_kernel_can_ask_them() {
    let collector = collector();
    let (server, port) = server();
    let mut pair = Pair::open(&server);
    let mut spec = spec(port, Filter::default());
    spec.filters = vec![either(port)];
    let session = collector.start(&spec).unwrap();
    let reason = session.probes().0[0].capability.clone().unwrap().reason;
    pair.talk(20);
    let samples = measured(&session);
    if !can_be_asked() {
        assert_eq!(samples, []);
        assert!(
            reason.contains("there before the session are not seen"),
            "{reason}"
        );
        return;
    }
    assert!(!reason.contains("not seen"), "{reason}");
    let rtts = of(&samples, Metric::SocketRtt);
    assert_eq!(rtts.len(), samples.len());
    assert!(rtts.len() >= 10, "{}", rtts.len());
    let client = pair.here.local_addr().unwrap().port();
    let (low, high) = (port.min(client), port.max(client));
    let mut ends = [0, 0];
    for rtt in rtts {
        assert!(latency(rtt).as_millis() < 500, "{rtt:?}");
        let flow = rtt.flow.as_ref().unwrap();
        assert!(flow.opener_unknown);
        assert_eq!(flow.direction(), Direction::Unspecified);
        assert_eq!(
            (flow.server_port, flow.client_port),
            (low.into(), high.into())
        );
        ends[usize::from(flow.measured_from_server)] += 1;
        assert_eq!(rtt.process.as_ref().unwrap().pid, 0);
    }
    assert!(ends.iter().all(|it| *it > 0), "{ends:?}");
}

/// Two services on one host: the one that asked a socket first goes, and the other has found it asked.
#[test]
fn they_are_measured_on_when_another_engine_ends() {
    let (first, second) = (collector(), collector());
    let (server, port) = server();
    let spec = spec(port, Filter::default());
    let (ending, staying) = (first.start(&spec).unwrap(), second.start(&spec).unwrap());
    let mut pair = Pair::open(&server);
    ending.stop(EndReason::SessionStopped);
    let before = staying.totals().measured;
    pair.talk(20);
    let samples = measured(&staying);
    assert!(samples.len() as u64 >= before + 10, "{before}: {samples:?}");
}

#[test]
fn those_of_other_network_namespaces_too() {
    if !can_be_asked() {
        eprintln!("skipped: TCP_BPF_SOCK_OPS_CB_FLAGS is no socket option here");
        return;
    }
    let (told, tell) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let inside = std::thread::spawn(move || {
        alone(move || {
            let (server, port) = server();
            let mut pair = Pair::open(&server);
            told.send(port).unwrap();
            gone.recv().unwrap();
            pair.talk(10);
        });
    });
    let port = tell.recv().unwrap();
    let mut spec = spec(port, Filter::default());
    spec.filters = vec![either(port)];
    let session = collector().start(&spec).unwrap();
    go.send(()).unwrap();
    inside.join().unwrap();
    let samples = measured(&session);
    assert!(of(&samples, Metric::SocketRtt).len() >= 5, "{samples:?}");
}
