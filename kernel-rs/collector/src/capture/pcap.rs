//! pcap files (draft-ietf-opsawg-pcap).

use std::io::Read;

use pcap_parser::{PcapHeader, parse_pcap_header};

use super::{
    file::wrong,
    packet::{Packet, SECOND},
    source::Source,
};

/// What the file's header says, and the record's that was read last.
pub(super) struct Pcap {
    header: PcapHeader,
    time_ns: u64,
    wire_length: u32,
}

impl Pcap {
    /// Reads the rest of the header, of which the source has taken the first four bytes.
    pub(super) fn open(source: &mut Source<impl Read>) -> Result<Self, String> {
        const REST: u64 = 20;
        const UNKNOWN: &str = "is no pcap or pcapng file";
        let magic = PcapHeader {
            magic_number: u32::from_le_bytes(source.piece().try_into().expect("four bytes")),
            ..PcapHeader::new()
        };
        if !matches!(
            magic.magic_number,
            0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 | 0xd4c3_b2a1 | 0x4d3c_b2a1
        ) {
            return Err(UNKNOWN.to_owned());
        }
        let bytes = source
            .extend(REST)
            .map_err(|cut| format!("header: {}", wrong(cut)))?;
        let (_, header) = parse_pcap_header(bytes).map_err(|_| UNKNOWN.to_owned())?;
        Ok(Self {
            header,
            time_ns: 0,
            wire_length: 0,
        })
    }

    /// Reads the next record; `false` at the end.
    pub(super) fn read(&mut self, source: &mut Source<impl Read>) -> Result<bool, String> {
        const HEADER: usize = 16;
        /// The format of some Linux of the last century has eight bytes more.
        const MODIFIED: usize = 24;
        if source.is_at_end().map_err(wrong)? {
            return Ok(false);
        }
        let length = if self.header.is_modified_format() {
            MODIFIED
        } else {
            HEADER
        };
        let big = self.header.is_bigendian();
        let record = source.take(length).map_err(wrong)?;
        let [seconds, fraction, kept, wire_length] = [0, 4, 8, 12].map(|at| word(record, at, big));
        let fraction_ns = if self.header.is_nanosecond_precision() {
            1
        } else {
            1000
        };
        self.time_ns = u64::from(seconds) * SECOND + u64::from(fraction) * fraction_ns;
        self.wire_length = wire_length.max(kept);
        source.take(kept as usize).map_err(wrong)?;
        Ok(true)
    }

    /// The record read last, whose bytes are `piece`.
    pub(super) fn packet<'a>(&self, piece: &'a [u8]) -> Packet<'a> {
        Packet {
            bytes: piece,
            wire_length: self.wire_length,
            time_ns: Some(self.time_ns),
            // The upper half says how long the frame check sequence is.
            link_type: self.header.network.0 as u16,
            interface: 0,
        }
    }
}

/// The 32-bit integer at `at`, which must be inside.
pub(super) fn word(bytes: &[u8], at: usize, big: bool) -> u32 {
    let bytes = bytes[at..at + 4].try_into().expect("four bytes");
    if big {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    }
}
