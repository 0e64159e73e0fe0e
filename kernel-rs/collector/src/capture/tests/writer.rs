//! Writes capture files, well-formed and otherwise.

/// pcap's magic number for microseconds.
pub(super) const MICRO: u32 = 0xa1b2_c3d4;
/// pcap's magic number for nanoseconds.
pub(super) const NANO: u32 = 0xa1b2_3c4d;

/// A file under construction, of either byte order.
pub(super) struct Writer {
    big: bool,
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    /// Nothing yet.
    pub(super) fn new(big: bool) -> Self {
        Self {
            big,
            bytes: Vec::new(),
        }
    }

    /// A pcap file without packets.
    pub(super) fn pcap(big: bool, magic: u32, link_type: u32) -> Self {
        let mut file = Self::new(big);
        file.words(&[magic]);
        file.halves(&[2, 4]);
        file.words(&[0, 0, 262_144, link_type]);
        file
    }

    /// A pcapng file with a section, and interfaces of these link types in nanoseconds, `eth0` and up.
    pub(super) fn pcapng(big: bool, link_types: &[u16]) -> Self {
        let mut file = Self::new(big);
        file.section();
        for (n, link_type) in link_types.iter().enumerate() {
            file.interface(*link_type, &[(2, format!("eth{n}").as_bytes()), (9, &[9])]);
        }
        file
    }

    pub(super) fn words(&mut self, words: &[u32]) {
        for word in words {
            let bytes = if self.big {
                word.to_be_bytes()
            } else {
                word.to_le_bytes()
            };
            self.bytes.extend(bytes);
        }
    }

    fn halves(&mut self, halves: &[u16]) {
        for half in halves {
            let bytes = if self.big {
                half.to_be_bytes()
            } else {
                half.to_le_bytes()
            };
            self.bytes.extend(bytes);
        }
    }

    /// A packet of a pcap file; `fraction` in the file's unit.
    pub(super) fn record(&mut self, seconds: u32, fraction: u32, packet: &[u8]) {
        let length = packet.len() as u32;
        self.words(&[seconds, fraction, length, length]);
        self.bytes.extend(packet);
    }

    /// A pcapng block around what `write` writes.
    pub(super) fn block(&mut self, kind: u32, write: impl FnOnce(&mut Self)) {
        let mut inside = Self::new(self.big);
        write(&mut inside);
        inside
            .bytes
            .resize(inside.bytes.len().next_multiple_of(4), 0);
        let length = inside.bytes.len() as u32 + 12;
        self.words(&[kind, length]);
        self.bytes.extend(inside.bytes);
        self.words(&[length]);
    }

    pub(super) fn section(&mut self) {
        self.block(0x0a0d_0d0a, |block| {
            block.words(&[0x1a2b_3c4d]);
            block.halves(&[1, 0]);
            block.words(&[u32::MAX, u32::MAX]);
        });
    }

    pub(super) fn interface(&mut self, link_type: u16, options: &[(u16, &[u8])]) {
        self.block(1, |block| {
            block.halves(&[link_type, 0]);
            block.words(&[0]);
            for (code, value) in options {
                block.halves(&[*code, value.len() as u16]);
                block.bytes.extend(*value);
                block.bytes.resize(block.bytes.len().next_multiple_of(4), 0);
            }
            block.halves(&[0, 0]);
        });
    }

    /// An enhanced packet block.
    pub(super) fn packet(&mut self, interface: u32, ticks: u64, packet: &[u8]) {
        let length = packet.len() as u32;
        self.block(6, |block| {
            block.words(&[
                interface,
                (ticks >> 32) as u32,
                ticks as u32,
                length,
                length,
            ]);
            block.bytes.extend(packet);
        });
    }

    /// What the enhanced packet block replaced.
    pub(super) fn obsolete_packet(&mut self, interface: u16, ticks: u64, packet: &[u8]) {
        let length = packet.len() as u32;
        self.block(2, |block| {
            block.halves(&[interface, 7]);
            block.words(&[(ticks >> 32) as u32, ticks as u32, length, length]);
            block.bytes.extend(packet);
        });
    }

    /// A packet of interface 0 without a time.
    pub(super) fn simple_packet(&mut self, packet: &[u8]) {
        self.block(3, |block| {
            block.words(&[packet.len() as u32]);
            block.bytes.extend(packet);
        });
    }
}
