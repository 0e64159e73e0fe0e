//! When a record wakes the reader.

use latscope_events::{
    counter,
    sample::{PacketSample, SHARD_BYTES, wake},
};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{
    EPOCH_NS, Frame, MS, Replay,
    build::{ACK, frame, ipv4, tcp},
};
use crate::{
    proto::{Metric, Probe, SessionSpec, TcpProbe, probe},
    spec,
};

/// A record and the header that the kernel puts before it.
const RECORD: usize = size_of::<PacketSample>() + 8;

/// Two hosts that answer each other's segments: from the second on, each makes one round trip.
struct Talk {
    replay: Replay,
    epoll: Epoll,
    sent: u32,
}

impl Talk {
    fn begin() -> Self {
        let rtt = SessionSpec {
            probes: vec![Probe {
                kind: Some(probe::Kind::Tcp(TcpProbe {
                    metrics: vec![Metric::TcpRtt.into()],
                })),
                timeout: None,
            }],
            ..SessionSpec::default()
        };
        let rtt = spec::check(&rtt).unwrap().compiled;
        let replay = Replay::for_sessions(&[rtt], false).expect("needs root and BPF");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll
            .add(&replay.rings.shards[0], EpollEvent::new(edge, 0))
            .unwrap();
        let mut talk = Self {
            replay,
            epoll,
            sent: 0,
        };
        talk.say(wake::AWAKE);
        // The first are one way, or join midway.
        while talk.replay.records().is_empty() {
            talk.step();
        }
        talk.woken();
        talk
    }

    fn say(&mut self, state: u32) {
        self.replay.rings.wake.set(0, state, 0).unwrap();
    }

    fn said(&self) -> u32 {
        self.replay.rings.wake.get(&0, 0).unwrap()
    }

    fn step(&mut self) {
        let (turn, round) = (self.sent % 2, self.sent / 2);
        let (seq, ack) = (1 + round, 1 + round + turn);
        let ends = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let packet = if turn == 0 {
            ipv4(ends, 6, &tcp((1000, 2000), seq, ack, ACK, b"x"))
        } else {
            ipv4((ends.1, ends.0), 6, &tcp((2000, 1000), seq, ack, ACK, b"x"))
        };
        self.sent += 1;
        let bytes = frame(&packet);
        let fed = self.replay.feed(&Frame {
            bytes: &bytes,
            wire_length: bytes.len() as u32,
            time_ns: u64::from(self.sent) * MS + EPOCH_NS,
            raw: false,
            interface: 1,
            outbound: false,
        });
        assert!(fed.unwrap());
    }

    /// Whether the reader was woken since the last time.
    fn woken(&self) -> bool {
        let mut event = [EpollEvent::empty()];
        self.epoll.wait(&mut event, EpollTimeout::ZERO).unwrap() > 0
    }

    /// Segments until the reader is woken, and how many records there are then.
    fn until_woken(&mut self) -> usize {
        for _ in 0..2 * SHARD_BYTES / RECORD {
            self.step();
            if self.woken() {
                return self.replay.records().len();
            }
        }
        panic!("nobody was woken");
    }
}

#[test]
fn a_reader_that_sleeps_is_woken_by_the_first_record_and_by_no_other() {
    let mut talk = Talk::begin();
    talk.say(wake::SLEEPS);
    assert_eq!(talk.until_woken(), 1);
    assert_eq!(talk.said(), wake::AWAKE);
    for _ in 0..100 {
        talk.step();
    }
    assert!(!talk.woken());
    assert_eq!(talk.replay.records().len(), 100);
}

#[test]
fn a_reader_that_lingers_is_woken_when_the_ring_is_half_full() {
    let mut talk = Talk::begin();
    for _ in 0..2 {
        talk.say(wake::LINGERS);
        let records = talk.until_woken();
        // The record that is being added counts.
        assert_eq!(records, (SHARD_BYTES / 2).div_ceil(RECORD));
        assert_eq!(talk.said(), wake::AWAKE);
    }
}

#[test]
fn a_reader_that_looks_is_not_woken_however_full_the_ring() {
    let mut talk = Talk::begin();
    talk.say(wake::AWAKE);
    let room = SHARD_BYTES / RECORD;
    for _ in 0..room + 10 {
        talk.step();
    }
    assert!(!talk.woken());
    let records = talk.replay.records().len();
    assert!((room - 1..=room).contains(&records), "{records} of {room}");
    let counters = talk.replay.object.counters().unwrap();
    let lost: u64 = counters
        .iter()
        .map(|cpu| counter::read(&cpu.ring_full, 0))
        .sum();
    assert_eq!(records as u64 + lost, room as u64 + 10);
}
