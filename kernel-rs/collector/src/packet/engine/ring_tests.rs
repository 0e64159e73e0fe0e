//! Samples of several CPUs on their way through the rings into one log.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use latscope_events::counter;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use tokio::time::Instant;

use super::{super::live_tests::read, PacketEngine, State};
use crate::{
    collector::Collector,
    histogram::Histogram,
    metric::EngineKind,
    proto::{
        Collection, EndReason, LossStage, Metric, Probe, SessionSpec, TcpProbe, Totals, probe,
    },
    session::Session,
    testing::alone,
};

/// A connection over loopback, both ends of which are on one CPU, so that all its packets pass there.
struct Talk {
    ends: [TcpStream; 2],
}

impl Talk {
    fn on(cpu: usize) -> Self {
        let mut set = CpuSet::new();
        set.set(cpu).unwrap();
        sched_setaffinity(Pid::from_raw(0), &set).expect("the test needs CPUs 0 and 1");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let there = server.accept().unwrap().0;
        Self {
            ends: [here, there],
        }
    }

    fn rounds(&mut self, count: usize) {
        let [here, there] = &mut self.ends;
        for _ in 0..count {
            here.write_all(b"x").unwrap();
            there.read_exact(&mut [0]).unwrap();
            there.write_all(b"y").unwrap();
            here.read_exact(&mut [0]).unwrap();
        }
    }

    fn port(&self) -> u16 {
        self.ends[1].local_addr().unwrap().port()
    }
}

fn start(engine: &PacketEngine) -> Arc<Session> {
    let engine = Arc::new(engine.clone());
    let collector = Collector::new("nodes/test".into(), vec![(EngineKind::Packet, engine)]);
    let spec = SessionSpec {
        probes: vec![Probe {
            kind: Some(probe::Kind::Tcp(TcpProbe {
                metrics: vec![Metric::TcpRtt.into()],
            })),
            timeout: None,
        }],
        collection: Some(Collection {
            max_samples_per_second: Some(0),
            ..Collection::default()
        }),
        ..SessionSpec::default()
    };
    collector.start(&spec).unwrap()
}

/// Ends the session; (when each sample ended in ns, the server's port) in the order of the log, and the totals.
fn told(session: &Arc<Session>) -> (Vec<(i128, u32)>, Totals) {
    session.stop(EndReason::SessionStopped);
    let (samples, _, totals) = read(session, |it| {
        let time = it.time.unwrap();
        (
            i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos),
            it.flow.as_ref().unwrap().server_port,
        )
    });
    (samples, totals)
}

/// How often one sample and the next are of different flows.
fn turns(samples: &[(i128, u32)]) -> usize {
    samples.windows(2).filter(|it| it[0].1 != it[1].1).count()
}

#[test]
fn samples_of_several_cpus_reach_the_log_in_the_order_of_their_time() {
    /// Of 100 round trips, after each of which the two CPUs wait for one another; all of them fit the rings.
    const SPELLS: usize = 24;
    alone(|| {
        let session = start(&PacketEngine::default());
        let both = Barrier::new(2);
        thread::scope(|scope| {
            for cpu in [0, 1] {
                let both = &both;
                scope.spawn(move || {
                    let mut talk = Talk::on(cpu);
                    for _ in 0..SPELLS {
                        both.wait();
                        talk.rounds(100);
                    }
                });
            }
        });
        let (samples, totals) = told(&session);
        assert!(samples.is_sorted_by_key(|it| it.0));
        assert!(turns(&samples) >= SPELLS - 1, "{}", turns(&samples));
        assert_eq!(totals.measured, samples.len() as u64);
        // Both ways on both CPUs.
        assert!(samples.len() >= 4 * SPELLS * 99, "{}", samples.len());
        assert_eq!((totals.delivered, totals.losses), (totals.measured, vec![]));
    });
}

#[test]
fn histograms_read_while_packets_pass_hold_all_that_their_totals_say() {
    const READINGS: usize = 100;
    alone(|| {
        let session = start(&PacketEngine::default());
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            for cpu in [0, 1] {
                let enough = &enough;
                scope.spawn(move || {
                    let mut talk = Talk::on(cpu);
                    while !enough.load(Ordering::Relaxed) {
                        talk.rounds(10);
                    }
                });
            }
            let mut before = 0;
            let mut differ = 0;
            for _ in 0..READINGS {
                // Something is measured between one reading and the next.
                while session.totals().measured == before {
                    thread::yield_now();
                }
                let read = session.counts(Instant::now()).unwrap();
                let counted: u64 = read.groups.values().map(Histogram::count).sum();
                differ += u64::from(counted != read.totals.measured);
                before = read.totals.measured;
            }
            enough.store(true, Ordering::Relaxed);
            assert_eq!((differ, before > READINGS as u64), (0, true));
        });
    });
}

/// Samples for which no ring had room, by CPU.
fn lost(state: &State) -> Vec<u64> {
    let counters = state.object.counters().unwrap();
    let full = counters
        .iter()
        .map(|it| (0..64).map(|bit| counter::read(&it.ring_full, bit)).sum());
    full.collect()
}

#[test]
fn what_a_full_ring_had_no_room_for_is_told_and_the_books_balance() {
    const LOST: u64 = 500;
    const MOST_ROUNDS: usize = 1_000_000;
    alone(|| {
        let engine = PacketEngine::default();
        let session = start(&engine);
        let guard = engine.state.lock();
        let state = guard.as_ref().unwrap();
        let mut ports = Vec::new();
        // Until it may write, nobody may read who gets what: the reader stands still.
        state.reader.route(|_| {
            for cpu in [0, 1] {
                let mut talk = Talk::on(cpu);
                ports.push(u32::from(talk.port()));
                let mut rounds = 0;
                while lost(state)[cpu] < LOST && rounds < MOST_ROUNDS {
                    talk.rounds(100);
                    rounds += 100;
                }
            }
        });
        drop(guard);
        let (samples, totals) = told(&session);
        // Connections that close may lose some more before the reader comes to it.
        let lost = lost(engine.state.lock().as_ref().unwrap());
        assert!(lost[0] >= LOST && lost[1] >= LOST, "{lost:?}");
        let told: Vec<(LossStage, u64)> = totals
            .losses
            .iter()
            .map(|it| (it.stage(), it.count))
            .collect();
        assert_eq!(
            told,
            [(LossStage::KernelRingFull, lost.iter().sum::<u64>())]
        );
        assert_eq!(totals.delivered, samples.len() as u64);
        assert_eq!(totals.measured, totals.delivered + told[0].1);
        for port in ports {
            assert!(samples.iter().any(|it| it.1 == port));
        }
        assert!(samples.is_sorted_by_key(|it| it.0));
    });
}
