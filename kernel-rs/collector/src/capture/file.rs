//! A capture file of either format.

use std::io::Read;

use super::{
    packet::Packet,
    pcap::Pcap,
    pcapng::PcapNg,
    source::{Cut, LONGEST, Source},
};

/// An open capture file.
pub(super) struct CaptureFile<R> {
    source: Source<R>,
    format: Format,
    packets: u64,
    ended: bool,
}

enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

/// First bytes of a pcapng file: the type of its section header, the same in either byte order.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

impl<R: Read> CaptureFile<R> {
    /// Reads the file's header. The error says what is wrong, without the file's name.
    pub(super) fn open(reader: R) -> Result<Self, String> {
        let mut source = Source::new(reader);
        let magic = source.take(4).map_err(|cut| match cut {
            Cut::Short { there: 0, .. } => "is empty".to_owned(),
            Cut::Short { .. } => "is no pcap or pcapng file".to_owned(),
            other => wrong(other),
        })?;
        let format = if magic == SECTION {
            Format::PcapNg(PcapNg::default())
        } else {
            Format::Pcap(Pcap::open(&mut source)?)
        };
        Ok(Self {
            source,
            format,
            packets: 0,
            ended: false,
        })
    }

    /// The next packet; `None` at the end of the file, and after an error. The error names the packet.
    pub(super) fn next(&mut self) -> Result<Option<Packet<'_>>, String> {
        if self.ended {
            return Ok(None);
        }
        let Self { source, format, .. } = self;
        let read = match format {
            Format::Pcap(it) => it.read(source),
            Format::PcapNg(it) => it.read(source),
        };
        match read {
            Ok(true) => self.packets += 1,
            Ok(false) => {
                self.ended = true;
                return Ok(None);
            }
            Err(why) => {
                self.ended = true;
                return Err(format!("packet {}: {why}", self.packets + 1));
            }
        }
        let Self { source, format, .. } = self;
        Ok(Some(match format {
            Format::Pcap(it) => it.packet(source.piece()),
            Format::PcapNg(it) => it.packet(source.piece()),
        }))
    }

    /// Name of an interface; empty where the file has none.
    pub(super) fn interface(&self, index: usize) -> &str {
        match &self.format {
            Format::Pcap(_) => "",
            Format::PcapNg(it) => it.interface(index),
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.source.position()
    }
}

/// What a cut says to a person, after a packet's number.
pub(super) fn wrong(cut: Cut) -> String {
    match cut {
        Cut::Short { wanted, there } => {
            format!("the file ends after {there} of {wanted} bytes")
        }
        Cut::Huge(length) => format!("claims {length} bytes, more than {LONGEST}"),
        Cut::Io(error) => error.to_string(),
    }
}
