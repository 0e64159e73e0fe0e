//! Address and port ranges as prefixes of trie keys.

use std::collections::BTreeMap;

use latscope_events::config::{CLAUSES, Clauses, TRIE_PREFIX, TrieKey};

use crate::spec::{cidr::Cidr, compiled::Ports};

/// Up to 128 bits and how many of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    length: u32,
    bits: [u8; 16],
}

impl Prefix {
    /// Everything.
    pub(crate) const ANY: Self = Self {
        length: 0,
        bits: [0; 16],
    };

    pub(crate) fn of_cidr(cidr: &Cidr) -> Self {
        Self {
            length: u32::from(cidr.prefix_length),
            bits: cidr.address,
        }
    }

    pub(crate) fn of_number(number: u16) -> Self {
        Self::of_high_bits(number, 16)
    }

    /// Exactly these bytes, at most 16.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let mut bits = [0; 16];
        bits[..bytes.len()].copy_from_slice(bytes);
        Self {
            length: 8 * bytes.len() as u32,
            bits,
        }
    }

    fn of_high_bits(number: u16, length: u32) -> Self {
        let mut bits = [0; 16];
        bits[..2].copy_from_slice(&number.to_be_bytes());
        Self { length, bits }
    }

    /// The fewest prefixes that make up a range of ports.
    pub(crate) fn of_ports(ports: Ports) -> Vec<Self> {
        let mut prefixes = Vec::new();
        let mut next = u32::from(ports.first);
        let end = u32::from(ports.last) + 1;
        while next < end {
            let aligned = if next == 0 {
                16
            } else {
                next.trailing_zeros().min(16)
            };
            let fits = (end - next).ilog2();
            let free = aligned.min(fits);
            prefixes.push(Self::of_high_bits(next as u16, 16 - free));
            next += 1 << free;
        }
        prefixes
    }

    /// The same bits, fewer of which count.
    fn shortened(&self, length: u32) -> Self {
        let mut bits = [0; 16];
        let whole = (length / 8) as usize;
        bits[..whole].copy_from_slice(&self.bits[..whole]);
        if !length.is_multiple_of(8) {
            bits[whole] = self.bits[whole] & !(0xff >> (length % 8));
        }
        Self { length, bits }
    }

    fn key(&self, field: u32, bank: u32) -> (u32, TrieKey) {
        let mut data = [0; 4];
        for (word, bytes) in data.iter_mut().zip(self.bits.chunks_exact(4)) {
            *word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        (TRIE_PREFIX + self.length, TrieKey { field, bank, data })
    }
}

/// Which clauses accept what, for one field.
#[derive(Default)]
pub(crate) struct Accepts(BTreeMap<Prefix, Clauses>);

impl Accepts {
    /// Clause `clause` of lane `bit` accepts what `prefix` covers.
    pub(crate) fn accept(&mut self, prefix: Prefix, clause: usize, bit: u32) {
        self.0.entry(prefix).or_insert([0; CLAUSES])[clause] |= 1 << bit;
    }

    /// Trie entries: a lookup returns the longest prefix alone, so each holds what the shorter ones accept as well.
    pub(crate) fn entries(&self, field: u32, bank: u32) -> Vec<(u32, TrieKey, Clauses)> {
        let mut entries: Vec<_> = self
            .0
            .keys()
            .map(|prefix| {
                let mut all = [0; CLAUSES];
                for length in 0..=prefix.length {
                    if let Some(more) = self.0.get(&prefix.shortened(length)) {
                        for (word, bits) in all.iter_mut().zip(more) {
                            *word |= bits;
                        }
                    }
                }
                let (length, key) = prefix.key(field, bank);
                (length, key, all)
            })
            .collect();
        if !self.0.contains_key(&Prefix::ANY) {
            let (length, key) = Prefix::ANY.key(field, bank);
            entries.push((length, key, [0; CLAUSES]));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(first: u16, last: u16) -> Vec<(u16, u32)> {
        Prefix::of_ports(Ports { first, last })
            .iter()
            .map(|it| (u16::from_be_bytes([it.bits[0], it.bits[1]]), it.length))
            .collect()
    }

    #[test]
    fn a_range_of_ports_is_the_fewest_prefixes() {
        assert_eq!(ports(443, 443), [(443, 16)]);
        assert_eq!(ports(0, 65535), [(0, 0)]);
        assert_eq!(ports(1000, 1010), [(1000, 13), (1008, 15), (1010, 16)]);
        assert_eq!(ports(65535, 65535), [(65535, 16)]);
        assert_eq!(ports(1, 65535).len(), 16);
    }

    #[test]
    fn a_longer_prefix_holds_what_the_shorter_accept() {
        let mut accepts = Accepts::default();
        let net = Prefix::of_cidr(&Cidr::parse("10.0.0.0/8").unwrap());
        let host = Prefix::of_cidr(&Cidr::parse("10.1.2.3").unwrap());
        let other = Prefix::of_cidr(&Cidr::parse("11.0.0.0/9").unwrap());
        accepts.accept(net, 0, 1);
        accepts.accept(host, 0, 2);
        accepts.accept(other, 1, 3);
        let mut found: Vec<_> = accepts
            .entries(1, 0)
            .into_iter()
            .map(|(length, _, clauses)| (length, clauses[0], clauses[1]))
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                (64, 0, 0),
                (72, 1 << 1, 0),
                (73, 0, 1 << 3),
                (96, 1 << 1 | 1 << 2, 0)
            ]
        );
    }
}
