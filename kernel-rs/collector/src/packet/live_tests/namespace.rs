//! Sessions in other network namespaces.

use std::{
    os::unix::fs::MetadataExt as _,
    sync::mpsc::{Sender, channel},
    thread::JoinHandle,
};

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::{failure::Reason, proto::SessionState};

/// A namespace that lives as long as a thread in it.
struct Elsewhere {
    path: String,
    jobs: Option<Sender<Box<dyn FnOnce() + Send>>>,
    thread: Option<JoinHandle<()>>,
}

impl Elsewhere {
    fn new() -> Self {
        let (jobs, todo) = channel::<Box<dyn FnOnce() + Send>>();
        let (told, path) = channel();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("needs CAP_SYS_ADMIN");
            ip("link set lo up");
            let id = nix::unistd::gettid();
            told.send(format!("/proc/self/task/{id}/ns/net")).unwrap();
            for job in todo {
                job();
            }
        });
        Self {
            path: path.recv().unwrap(),
            jobs: Some(jobs),
            thread: Some(thread),
        }
    }

    /// Does something there, and waits for its end.
    fn run(&self, job: impl FnOnce() + Send + 'static) {
        let (done, wait) = channel();
        let job = move || {
            job();
            done.send(()).unwrap();
        };
        self.jobs.as_ref().unwrap().send(Box::new(job)).unwrap();
        wait.recv().expect("the job panicked");
    }

    fn inode(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().ino()
    }

    /// Nobody is in it any more.
    fn leave(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.leave();
    }
}

fn spec_in(paths: &[&str]) -> SessionSpec {
    SessionSpec {
        network_namespaces: paths.iter().map(|it| (*it).to_owned()).collect(),
        ..tcp_spec(None)
    }
}

fn talk_on_loopback(connections: usize) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    for _ in 0..connections {
        talk(&server, 1);
    }
}

/// How many handshakes there are of each namespace.
fn handshakes(session: &Arc<Session>, inodes: &[u64]) -> (Vec<usize>, Totals) {
    let (samples, _, totals) = read(session, |it| {
        (it.metric(), it.flow.as_ref().unwrap().network_namespace)
    });
    assert_eq!(totals.measured, samples.len() as u64);
    assert_eq!((totals.delivered, totals.in_flight), (totals.measured, 0));
    let of = |inode: u64| {
        let mine = |it: &&(Metric, u64)| **it == (Metric::TcpHandshakeRemote, inode);
        samples.iter().filter(mine).count()
    };
    (inodes.iter().map(|it| of(*it)).collect(), totals)
}

#[test]
fn each_session_sees_the_namespaces_it_names() {
    alone(|| {
        let collector = collector();
        let (one, other) = (Elsewhere::new(), Elsewhere::new());
        let all = ["/proc/thread-self/ns/net", &one.path, &other.path];
        let sessions = [
            collector.start(&spec_in(&[])).unwrap(),
            collector.start(&spec_in(&[&one.path])).unwrap(),
            // The same by another name is the same.
            collector
                .start(&spec_in(&[all[0], all[1], all[2], all[1]]))
                .unwrap(),
        ];
        talk_on_loopback(1);
        one.run(|| talk_on_loopback(2));
        other.run(|| talk_on_loopback(3));
        for session in &sessions {
            session.stop(EndReason::SessionStopped);
        }
        let inodes = [0, one.inode(), other.inode()];
        let seen = sessions.each_ref().map(|it| handshakes(it, &inodes).0);
        assert_eq!(seen, [[1, 0, 0], [0, 2, 0], [1, 2, 3]]);
    });
}

#[test]
fn interfaces_are_those_of_the_namespace() {
    alone(|| {
        let collector = collector();
        let there = Elsewhere::new();
        there.run(|| ip("link add only0 type veth peer name peer0"));
        let spec = |paths| SessionSpec {
            interfaces: vec!["only0".into()],
            ..spec_in(paths)
        };
        let failure = collector.start(&spec(&[])).unwrap_err();
        assert_eq!(failure.reason(), Reason::InterfaceUnknown);
        let session = collector.start(&spec(&[&there.path])).unwrap();
        let attached = || {
            let programs = session.stats().unwrap().programs;
            let first = programs.into_iter().next();
            first.map(|it| it.attached_to).unwrap_or_default()
        };
        let expected = format!("{} ingress: only0", hook());
        assert_eq!(attached(), expected);
        there.run(|| ip("link del only0"));
        until("it is left", || attached().is_empty());
        there.run(|| ip("link add only0 type veth peer name peer0"));
        until("it is found again", || attached() == expected);
    });
}

#[test]
fn a_namespace_that_goes_ends_its_part_and_is_let_go() {
    alone(|| {
        let collector = collector();
        let mut there = Elsewhere::new();
        let inode = there.inode();
        let spec = spec_in(&["/proc/thread-self/ns/net", &there.path]);
        let session = collector.start(&spec).unwrap();
        assert_eq!(session.probes().1, SessionState::Running);
        // A pair with one end there: it goes when the namespace does.
        let id = nix::unistd::gettid().as_raw();
        there.run(move || {
            ip(&format!(
                "link add there0 type veth peer name pair0 netns {id}"
            ));
        });
        there.run(|| talk_on_loopback(2));
        there.leave();
        until("the session hears of it", || {
            session.probes().1 == SessionState::Degraded
        });
        let reason = format!("network namespace {} is gone", there.path);
        assert!(
            session.probes().2.ends_with(&reason),
            "{}",
            session.probes().2
        );
        until("nothing holds the namespace", || {
            let names = nix::net::if_::if_nameindex().unwrap();
            names.iter().all(|it| it.name().to_bytes() != b"pair0")
        });
        talk_on_loopback(1);
        session.stop(EndReason::SessionStopped);
        assert_eq!(handshakes(&session, &[0, inode]).0, [1, 2]);
    });
}

/// A session that speaks of the first `count` metrics of TCP in different ways, and sees nothing of what the test sends.
fn picky(path: &[&str], count: usize) -> SessionSpec {
    let metrics = [
        Metric::TcpHandshakeRemote,
        Metric::TcpHandshakeLocal,
        Metric::TcpRtt,
        Metric::TcpFirstByte,
        Metric::TcpConnectFailure,
    ];
    let filters = (1..).zip(metrics).take(count).map(|(port, metric)| Filter {
        metrics: vec![metric.into()],
        server_ports: vec![PortRange {
            first: port,
            last: 0,
        }],
        ..Filter::default()
    });
    SessionSpec {
        filters: filters.collect(),
        ..spec_in(path)
    }
}

#[test]
fn an_update_that_one_namespace_has_no_room_for_leaves_all_as_before() {
    alone(|| {
        let collector = collector();
        let (one, other) = (Elsewhere::new(), Elsewhere::new());
        let both = [&one.path[..], &other.path[..]];
        let session = collector.start(&spec_in(&both)).unwrap();
        // With the session's own bit that makes all 64.
        let crowd: Vec<_> = [5; 12]
            .into_iter()
            .chain([3])
            .map(|count| collector.start(&picky(&both[1..], count)).unwrap())
            .collect();
        let failure = session.update(&picky(&both, 2)).unwrap_err();
        assert_eq!(failure.reason(), Reason::CapacityExhausted);
        one.run(|| talk_on_loopback(1));
        other.run(|| talk_on_loopback(2));
        for session in crowd {
            session.close();
        }
        // Now there is room, and from here on it sees nothing.
        session.update(&picky(&both, 2)).unwrap();
        one.run(|| talk_on_loopback(4));
        other.run(|| talk_on_loopback(4));
        session.stop(EndReason::SessionStopped);
        let inodes = [one.inode(), other.inode()];
        assert_eq!(handshakes(&session, &inodes).0, [1, 2]);
    });
}
