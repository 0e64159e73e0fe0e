//! pcapng files (draft-ietf-opsawg-pcapng).

use std::{io::Read, ops::Range};

use pcap_parser::{Block, InterfaceDescriptionBlock, OptionCode, parse_block_be, parse_block_le};

use super::{
    file::wrong,
    packet::{Packet, SECOND},
    pcap::word,
    source::Source,
};

/// The current section, and the packet that was read last.
#[derive(Default)]
pub(super) struct PcapNg {
    big: bool,
    begun: bool,
    interfaces: Vec<Interface>,
    packet: Place,
}

struct Interface {
    name: String,
    link_type: u16,
    kept_length: u32,
    clock: Clock,
}

/// How an interface's time stamps are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// `if_tsresol`: units of a second, as a power of ten, or of two with the highest bit.
    pub(super) resolution: u8,
    /// `if_tsoffset`: seconds to add.
    pub(super) offset: i64,
}

/// Where the packet is in its block.
#[derive(Default)]
struct Place {
    bytes: Range<usize>,
    wire_length: u32,
    time_ns: Option<u64>,
    interface: usize,
}

const SECTION: u32 = 0x0a0d_0d0a;
/// The Packet Block, which the Enhanced one replaced.
const OBSOLETE_PACKET: u32 = 2;
/// Where the bytes of either begin.
const BYTES_AT: usize = 28;

impl PcapNg {
    /// Reads on to the next packet; `false` at the end. When called first, the source has taken the first four bytes.
    pub(super) fn read(&mut self, source: &mut Source<impl Read>) -> Result<bool, String> {
        loop {
            if self.begun {
                if source.is_at_end().map_err(wrong)? {
                    return Ok(false);
                }
                source.take(4).map_err(wrong)?;
            }
            self.begun = true;
            self.block(source)?;
            if self.take_in(source.piece())? {
                return Ok(true);
            }
        }
    }

    /// Reads the rest of a block of which the first four bytes are there.
    fn block(&mut self, source: &mut Source<impl Read>) -> Result<(), String> {
        /// Type and length, before and behind.
        const SHORTEST: u64 = 12;
        const ORDER: u32 = 0x1a2b_3c4d;
        let is_section = word(source.piece(), 0, true) == SECTION;
        let head = source
            .extend(if is_section { 8 } else { 4 })
            .map_err(wrong)?;
        let taken = head.len() as u64;
        if is_section {
            self.big = match (word(head, 8, true), word(head, 8, false)) {
                (ORDER, _) => true,
                (_, ORDER) => false,
                _ => return Err("a section of no known byte order".to_owned()),
            };
        }
        let length = u64::from(word(head, 4, self.big));
        if length < SHORTEST.max(taken) {
            return Err(format!("a block of {length} bytes"));
        }
        source.extend(length - taken).map_err(wrong)?;
        Ok(())
    }

    /// Takes note of a block; `true` when it is a packet.
    fn take_in(&mut self, block: &[u8]) -> Result<bool, String> {
        let parse = if self.big {
            parse_block_be
        } else {
            parse_block_le
        };
        let (_, parsed) = parse(block)
            .map_err(|_| format!("a malformed block of type {:#x}", word(block, 0, self.big)))?;
        match parsed {
            Block::SectionHeader(_) => self.interfaces.clear(),
            Block::InterfaceDescription(it) => self.interfaces.push(Interface::new(&it, self.big)),
            Block::EnhancedPacket(it) => {
                let ticks = u64::from(it.ts_high) << 32 | u64::from(it.ts_low);
                self.place(it.if_id as usize, ticks, it.caplen as usize, it.origlen)?;
                return Ok(true);
            }
            Block::SimplePacket(it) => {
                let interface = self.known(0)?;
                let kept = match interface.kept_length {
                    0 => it.origlen,
                    limit => it.origlen.min(limit),
                };
                let start = 12;
                self.packet = Place {
                    bytes: start..start + it.data.len().min(kept as usize),
                    wire_length: it.origlen,
                    time_ns: None,
                    interface: 0,
                };
                return Ok(true);
            }
            Block::Unknown(_) if word(block, 0, self.big) == OBSOLETE_PACKET => {
                if block.len() < BYTES_AT + 4 {
                    return Err("a malformed packet block".to_owned());
                }
                let [high, low, kept, origlen] =
                    [12, 16, 20, 24].map(|at| word(block, at, self.big));
                let bytes: [u8; 2] = block[8..10].try_into().expect("two bytes");
                let interface = if self.big {
                    u16::from_be_bytes(bytes)
                } else {
                    u16::from_le_bytes(bytes)
                };
                if kept as usize > block.len() - BYTES_AT - 4 {
                    return Err("a malformed packet block".to_owned());
                }
                let ticks = u64::from(high) << 32 | u64::from(low);
                self.place(usize::from(interface), ticks, kept as usize, origlen)?;
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    fn place(
        &mut self,
        interface: usize,
        ticks: u64,
        kept: usize,
        wire_length: u32,
    ) -> Result<(), String> {
        self.packet = Place {
            bytes: BYTES_AT..BYTES_AT + kept,
            wire_length: wire_length.max(kept as u32),
            time_ns: self.known(interface)?.clock.time_ns(ticks),
            interface,
        };
        Ok(())
    }

    fn known(&self, interface: usize) -> Result<&Interface, String> {
        self.interfaces
            .get(interface)
            .ok_or_else(|| format!("of interface {interface}, of which the file says nothing"))
    }

    /// The packet read last, whose block is `piece`.
    pub(super) fn packet<'a>(&self, piece: &'a [u8]) -> Packet<'a> {
        let Place {
            bytes,
            wire_length,
            time_ns,
            interface,
        } = &self.packet;
        Packet {
            bytes: &piece[bytes.clone()],
            wire_length: *wire_length,
            time_ns: *time_ns,
            link_type: self.interfaces[*interface].link_type,
            interface: *interface,
        }
    }

    /// Name of an interface of the current section.
    pub(super) fn interface(&self, index: usize) -> &str {
        self.interfaces.get(index).map_or("", |it| &it.name)
    }
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>, big: bool) -> Self {
        let option = |code| {
            let found = block.options.iter().find(|it| it.code == code)?;
            found.as_bytes().ok()
        };
        let offset = option(OptionCode::IfTsoffset).and_then(|it| it.try_into().ok());
        let offset = offset.unwrap_or_default();
        Self {
            name: option(OptionCode::IfName)
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .unwrap_or_default(),
            link_type: block.linktype.0 as u16,
            kept_length: block.snaplen,
            clock: Clock {
                resolution: block.if_tsresol,
                offset: if big {
                    i64::from_be_bytes(offset)
                } else {
                    i64::from_le_bytes(offset)
                },
            },
        }
    }
}

impl Clock {
    /// Nanoseconds since 1970, cut off; `None` before that, or after 2262.
    pub(super) fn time_ns(self, ticks: u64) -> Option<u64> {
        let second = u128::from(SECOND);
        let exponent = u32::from(self.resolution & 0x7f);
        let since = u128::from(ticks) * second;
        let since = if self.resolution & 0x80 != 0 {
            since >> exponent
        } else {
            // A unit that no integer holds leaves nothing of 64 bits of ticks.
            10_u128.checked_pow(exponent).map_or(0, |unit| since / unit)
        };
        let time = i128::try_from(since).ok()? + i128::from(self.offset) * second as i128;
        i64::try_from(time).ok().and_then(|it| it.try_into().ok())
    }
}
