//! Captures that were cut or mutated anywhere, through the programs: an error with the packet's number, and what came before
//! is kept.

use super::{
    replay::{START, brief, conversation, options, replayed},
    writer::{NANO, Writer},
};
use crate::failure::{Failure, Reason};

/// Files of each kind; `LATSCOPE_PACKETS` / 1000 where that is set (`scripts/long.sh`).
const USUAL: u32 = 12;
/// One over IPv4, one over IPv6.
const CONNECTIONS: u64 = 2;
const SECOND: u64 = 1_000_000_000;

/// A capture and where each of its packets ends.
struct Whole {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Whole {
    fn make(pcapng: bool, big: bool) -> Self {
        let mut file = if pcapng {
            Writer::pcapng(big, &[101])
        } else {
            Writer::pcap(big, NANO, 101)
        };
        let mut ends = Vec::new();
        for connection in 0..CONNECTIONS {
            for (at, packet) in conversation(connection % 2 == 1) {
                let after = connection * SECOND + at;
                if pcapng {
                    file.packet(0, START + after, &packet);
                } else {
                    let (seconds, nanos) = ((START + after) / SECOND, after % SECOND);
                    file.record(seconds as u32, nanos as u32, &packet);
                }
                ends.push(file.bytes.len());
            }
        }
        Self {
            bytes: file.bytes,
            ends,
        }
    }

    /// Packets that lie before `at`.
    fn before(&self, at: usize) -> usize {
        self.ends.iter().filter(|end| **end <= at).count()
    }
}

type Sample = (String, u64, u64, String);

/// The number of the packet that an error names.
fn packet_named(failure: &Failure) -> Option<usize> {
    let (_, rest) = failure.message().split_once(": packet ")?;
    rest.split(':').next()?.parse().ok()
}

fn files() -> u32 {
    std::env::var("LATSCOPE_PACKETS").map_or(USUAL, |count| {
        count.parse::<u32>().expect("a number") / 1000
    })
}

/// A file of each kind in turns, its samples, and something random.
fn each(mut test: impl FnMut(&Whole, &[Sample], &mut fastrand::Rng)) {
    let mut rng = fastrand::Rng::with_seed(1);
    let wholes = [(false, false), (false, true), (true, false), (true, true)]
        .map(|(pcapng, big)| Whole::make(pcapng, big));
    let samples = wholes.each_ref().map(|whole| {
        let (lines, end, _) = replayed(&whole.bytes, options());
        assert_eq!(end, Ok(()));
        brief(&lines)
    });
    assert_eq!(samples[0].len() as u64, 3 * CONNECTIONS);
    for number in 0..files() as usize {
        let which = number % wholes.len();
        test(&wholes[which], &samples[which], &mut rng);
    }
}

/// The samples that packets before the `count`th ended.
fn ended(whole: &[Sample], count: usize) -> &[Sample] {
    // Of five packets the second, third and fifth end something.
    let kept = count / 5 * 3 + [0, 0, 1, 2, 2][count % 5];
    &whole[..kept]
}

#[test]
fn a_file_cut_anywhere_keeps_what_came_before_and_names_the_packet() {
    each(|whole, samples, rng| {
        let at = rng.usize(whole.ends[0]..whole.bytes.len());
        let (lines, end, account) = replayed(&whole.bytes[..at], options());
        let packets = whole.before(at);
        assert_eq!(brief(&lines), ended(samples, packets), "cut at {at}");
        assert_eq!(account.packets as usize, packets);
        match end {
            Ok(()) => assert!(whole.ends.contains(&at), "cut at {at}"),
            Err(failure) => {
                assert_eq!(failure.reason(), Reason::CaptureInvalid);
                assert_eq!(packet_named(&failure), Some(packets + 1), "{failure}");
            }
        }
    });
}

#[test]
fn a_file_mutated_anywhere_keeps_what_came_before() {
    each(|whole, samples, rng| {
        let mut bytes = whole.bytes.clone();
        let first = rng.usize(whole.ends[0]..bytes.len());
        for _ in 0..rng.u32(1..=6) {
            let at = rng.usize(first..bytes.len());
            bytes[at] = rng.u8(..);
        }
        let (lines, end, account) = replayed(&bytes, options());
        let packets = whole.before(first);
        let kept = ended(samples, packets);
        assert_eq!(&brief(&lines)[..kept.len()], kept, "from {first}");
        assert!(account.packets as usize >= packets);
        if let Err(failure) = end {
            assert_eq!(failure.reason(), Reason::CaptureInvalid);
            let named = packet_named(&failure);
            assert_eq!(named, Some(account.packets as usize + 1), "{failure}");
        }
    });
}
