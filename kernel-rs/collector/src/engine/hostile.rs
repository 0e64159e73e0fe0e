//! Strings that no kernel should hand over and every client must survive: no UTF-8, control characters, very long. Only in
//! builds with the feature `synthetic`.

use crate::sample::{FlowView, ProcessView, Sample};

/// Different strings of one kind.
const WORDS: usize = 97;
/// Longest string, more than a message carries of one.
const LONGEST: usize = 6000;

/// Strings that follow from a seed.
pub(super) struct Hostile {
    words: Vec<Vec<u8>>,
}

impl Hostile {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            words: (0..WORDS).map(|_| random.word()).collect(),
        }
    }

    /// The sample with strings of ours wherever it can have one, other ones for each index.
    pub(super) fn spoil<'a>(&'a self, sample: Sample<'a>, index: u64) -> Sample<'a> {
        let word = |step: u64| &*self.words[(index.wrapping_mul(step) % WORDS as u64) as usize];
        Sample {
            subject: word(1),
            flow: sample.flow.map(|flow| FlowView {
                interface: word(2),
                ..flow
            }),
            process: Some(ProcessView {
                pid: index as u32,
                tid: index as u32,
                comm: word(3),
                cgroup_id: index,
                cgroup_path: word(5),
                container_id: word(7),
            }),
            ..sample
        }
    }
}

/// splitmix64, Steele and others: the same words from a seed for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// Mostly as short as a task's name, some as long as a path, few longer than allowed; bytes of every kind, or of those that
    /// break terminals and decoders.
    fn word(&mut self) -> Vec<u8> {
        const BREAKERS: [&[u8]; 8] = [
            b"\x1b[2J",
            b"\xff\xfe",
            b"\xed\xa0\x80",
            b"\xc0\xaf",
            b"\r\n",
            b"\0",
            b"\xf4\x90\x80\x80",
            b"\xc2\x9b",
        ];
        let length = match self.next() % 16 {
            0 => self.next() as usize % LONGEST,
            1..4 => self.next() as usize % 300,
            _ => self.next() as usize % 16,
        };
        let mut word = Vec::with_capacity(length);
        while word.len() < length {
            let random = self.next();
            if random.is_multiple_of(3) {
                word.extend_from_slice(BREAKERS[(random >> 8) as usize % BREAKERS.len()]);
            } else {
                word.extend_from_slice(&random.to_le_bytes());
            }
        }
        word.truncate(length);
        word
    }
}
