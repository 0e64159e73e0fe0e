//! A capture file on its way through the programs.

use std::{fs::File, path::Path};

use latscope_events::refusal::UNMATCHED_START;
use prost::Message as _;

use super::{
    account::{Account, Counter, MALFORMED},
    file::CaptureFile,
    line, link,
    link::Framed,
    packet::Packet,
    rows,
    side::Sides,
};
use crate::{
    failure::{Failure, Reason},
    packet::{
        record::Record,
        replay::{Frame, Replay},
    },
    proto,
    sample::Sample,
    spec::cidr::Cidr,
    text,
};

/// How a capture is looked at.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses of the host that captured it; empty: whoever opened a flow.
    pub local: Vec<Cidr>,
    /// Measure inside tunnels, not their outer packets.
    pub inner: bool,
    /// Packets of different VLANs can be of one flow: what a capture needs that was made where only one direction bears a
    /// tag, or each bears another.
    pub ignore_vlan: bool,
    /// What [`Capture::next_batch`] returns.
    pub form: Form,
}

/// What a batch of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of JSON.
    Lines,
    /// A `latscope.v1.SampleRows`.
    Rows,
}

/// A capture that is being replayed, with programs and tables of its own.
pub struct Capture {
    name: String,
    file: CaptureFile<File>,
    bytes: u64,
    replay: Replay,
    sides: Sides,
    form: Form,
    counter: Counter,
    unread: Option<u16>,
    ended: Option<Result<(), Failure>>,
}

/// A batch ends at so many packets, so that there is progress to show,
const PACKETS: usize = 1 << 14;
/// or at about so many bytes.
const BYTES: usize = 1 << 16;

impl Capture {
    /// Opens a pcap or pcapng file and loads the programs.
    ///
    /// # Errors
    /// `CAPTURE_INVALID` where the file cannot be opened or is no capture; what the kernel refuses.
    pub fn open(path: &Path, options: Options) -> Result<Self, Failure> {
        let name = text::escape(path.as_os_str().as_encoded_bytes()).into_owned();
        let open = || {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            Ok::<_, std::io::Error>((file, bytes))
        };
        let (file, bytes) = open().map_err(|error| invalid(&name, &error.to_string()))?;
        let file = CaptureFile::open(file).map_err(|why| invalid(&name, &why))?;
        Ok(Self {
            file,
            bytes,
            replay: Replay::open(options.inner, options.ignore_vlan)?,
            sides: Sides::new(options.local),
            form: options.form,
            counter: Counter::default(),
            unread: None,
            ended: None,
            name,
        })
    }

    /// What was measured in the next packets, in the capture's own time; may be empty. `None` at the end.
    ///
    /// # Errors
    /// `CAPTURE_INVALID`, once, where the file goes wrong, after everything that was measured before; what the kernel
    /// answers.
    pub fn next_batch(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(end) = &mut self.ended {
            return std::mem::replace(end, Ok(())).map(|()| None);
        }
        let mut batch = Batch::new(self.form);
        for _ in 0..PACKETS {
            match self.step(&mut batch) {
                Ok(true) if batch.bytes() < BYTES => {}
                Ok(true) => break,
                Ok(false) => {
                    self.ended = Some(self.verdict());
                    break;
                }
                Err(failure) => {
                    self.ended = Some(Err(failure));
                    break;
                }
            }
        }
        Ok(Some(batch.done()))
    }

    /// Replays one packet; `false` at the end.
    fn step(&mut self, batch: &mut Batch) -> Result<bool, Failure> {
        let Self {
            name,
            file,
            replay,
            sides,
            counter,
            unread,
            ..
        } = self;
        let Some(packet) = file.next().map_err(|why| invalid(name, &why))? else {
            return Ok(false);
        };
        let interface = packet.interface;
        counter.packet(packet.time_ns);
        match feed(replay, sides, &packet)? {
            Fed::Yes => {
                let records = replay.records();
                counter.measured(records.len());
                if !records.is_empty() {
                    let interface = file.interface(interface);
                    for record in &records {
                        batch.add(record, interface.as_bytes());
                    }
                }
            }
            Fed::Other => {}
            Fed::Unknown(link_type) => {
                *unread = Some(link_type);
                counter.unparsed(&format!("link type {}", link::name(link_type)));
            }
            Fed::Short => counter.unparsed(MALFORMED),
            Fed::Timeless => counter.unparsed("no time stamp"),
        }
        Ok(true)
    }

    /// A file of which nothing could be read for its link type is none that we read.
    fn verdict(&self) -> Result<(), Failure> {
        match self.unread {
            Some(link_type) if self.counter.all_unparsed() == self.counter.packets() => {
                let link_type = link::name(link_type);
                Err(invalid(
                    &self.name,
                    &format!("is of link type {link_type}; {}", link::READ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// The books so far.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn account(&self) -> Result<Account, Failure> {
        let mut refusals = self.replay.refusals()?;
        if self.ended.is_some() {
            refusals[UNMATCHED_START as usize] += self.replay.unanswered()?;
        }
        Ok(Account {
            bytes_read: self.file.position(),
            bytes: self.bytes,
            ..self.counter.account(&refusals)
        })
    }
}

/// What became of a packet.
enum Fed {
    Yes,
    /// Carries nothing that is measured.
    Other,
    /// Of a link type that is not read.
    Unknown(u16),
    Short,
    /// Without a time there is no latency.
    Timeless,
}

/// The programs take 0 for no time: they are one nanosecond ahead.
const AHEAD: u64 = 1;

fn feed(replay: &mut Replay, sides: &mut Sides, packet: &Packet<'_>) -> Result<Fed, Failure> {
    let framed = link::framed(packet.link_type, packet.bytes);
    let (bytes, cut, ip): (&[u8], _, _) = match &framed {
        Framed::Ethernet { bytes, cut } => (bytes, *cut, link::ip_at(bytes)),
        Framed::Raw { bytes, cut } => (bytes, *cut, Some(0)),
        Framed::Other => return Ok(Fed::Other),
        Framed::Short => return Ok(Fed::Short),
        Framed::Unknown => return Ok(Fed::Unknown(packet.link_type)),
    };
    let Some(time_ns) = packet.time_ns else {
        return Ok(Fed::Timeless);
    };
    let outbound = ip
        .and_then(|at| bytes.get(at..))
        .is_some_and(|ip| sides.is_outbound(ip));
    let fed = replay.feed(&Frame {
        bytes,
        wire_length: packet.wire_length.saturating_sub(cut),
        time_ns: time_ns + AHEAD,
        raw: matches!(framed, Framed::Raw { .. }),
        interface: interface_number(packet),
        outbound,
    })?;
    Ok(if fed { Fed::Yes } else { Fed::Short })
}

/// Tells the places apart where the capture saw packets; from 1 on, in 31 bits.
fn interface_number(packet: &Packet<'_>) -> u32 {
    const SEEN_AT_BITS: u32 = 20;
    const IN_USE: u32 = u32::MAX >> 1;
    let seen_at = link::seen_at(packet.link_type, packet.bytes) & ((1 << SEEN_AT_BITS) - 1);
    ((packet.interface as u32 + 1) << SEEN_AT_BITS | seen_at) & IN_USE
}

/// Samples being collected.
enum Batch {
    Lines(Vec<u8>),
    Rows(Vec<proto::Sample>),
}

impl Batch {
    fn new(form: Form) -> Self {
        match form {
            Form::Lines => Self::Lines(Vec::new()),
            Form::Rows => Self::Rows(Vec::new()),
        }
    }

    fn add(&mut self, record: &Record, interface: &[u8]) {
        let sample = Sample {
            time_unix_ns: record.sample.time_ns - AHEAD,
            ..record.view(0, interface)
        };
        match self {
            Self::Lines(lines) => line::write(lines, &sample),
            Self::Rows(rows) => rows.push(rows::row(&sample)),
        }
    }

    /// About how long it is.
    fn bytes(&self) -> usize {
        const ROW: usize = 128;
        match self {
            Self::Lines(lines) => lines.len(),
            Self::Rows(rows) => rows.len() * ROW,
        }
    }

    fn done(self) -> Vec<u8> {
        match self {
            Self::Lines(lines) => lines,
            Self::Rows(samples) => proto::SampleRows { samples }.encode_to_vec(),
        }
    }
}

fn invalid(name: &str, why: &str) -> Failure {
    Failure::new(Reason::CaptureInvalid, format!("{name}: {why}"))
}
