//! Many round trips in a short time: established TCP connections, each segment acknowledged on its own.

use std::io;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;

use crate::inject::sleep;
use crate::link::{HEADER_BYTES, Link};

/// Bytes of each segment.
const PAYLOAD: [u8; 64] = [0x6c; 64];
/// How often so many as are due by now go out.
const TICK: Duration = Duration::from_millis(1);

/// What to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flood {
    connections: u16,
    /// Of all connections together.
    segments: u64,
    per_second: u64,
}

impl Flood {
    /// Reads `CONNECTIONS SEGMENTS PER_SECOND`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ').map(str::parse::<u64>);
        let mut next = || words.next()?.ok().filter(|it| *it > 0);
        let flood = Self {
            connections: next()?.try_into().ok()?,
            segments: next()?,
            per_second: next()?,
        };
        words.next().is_none().then_some(flood)
    }

    /// Opens the connections from the first interface, then sends segments through it and their acknowledgements through the
    /// second, as they are due.
    pub(crate) fn send(&self, a: &Link, b: &Link) -> io::Result<()> {
        let mut connections: Vec<_> = (0..self.connections).map(Connection::new).collect();
        for step in Connection::HANDSHAKE {
            for connection in &connections {
                step(connection, a, b)?;
            }
            // The ends' frames take different ways to a watched interface, one through a softirq.
            sleep(TICK);
        }
        let (start, mut sent) = (Instant::now(), 0);
        let round = connections.len();
        while sent < self.segments {
            let due = start.elapsed().as_nanos() * u128::from(self.per_second) / 1_000_000_000;
            let due = self.segments.min(due as u64);
            while sent < due {
                let now = round.min((due - sent) as usize);
                let first = (sent % round as u64) as usize;
                let (tail, head) = connections.split_at_mut(first);
                let turn = head.iter_mut().chain(tail).take(now);
                for connection in turn {
                    connection.data(a)?;
                    connection.acknowledge(b)?;
                }
                sent += now as u64;
            }
            sleep(TICK);
        }
        Ok(())
    }
}

/// One connection, from 10.79.x.1 to 10.78.0.2: no interface has these, so that no stack answers.
struct Connection {
    number: u16,
    sequence: u32,
    data: Vec<u8>,
    acknowledgement: Vec<u8>,
}

/// Where a frame's TCP header begins, with neither VLAN tag nor IP options.
const TCP: usize = HEADER_BYTES + 14 + 20;

type Step = fn(&Connection, &Link, &Link) -> io::Result<()>;

impl Connection {
    const HANDSHAKE: [Step; 3] = [
        |it, a, _| a.send_bytes(&it.frame(true, 999, None, true, &[])),
        |it, _, b| b.send_bytes(&it.frame(false, 4999, Some(1000), true, &[])),
        |it, a, _| a.send_bytes(&it.frame(true, 1000, Some(5000), false, &[])),
    ];

    fn new(number: u16) -> Self {
        let mut connection = Self {
            number,
            sequence: 1000,
            data: Vec::new(),
            acknowledgement: Vec::new(),
        };
        connection.data = connection.frame(true, 1000, Some(5000), false, &PAYLOAD);
        connection.acknowledgement = connection.frame(false, 5000, Some(1000), false, &[]);
        connection
    }

    fn frame(
        &self,
        from_a: bool,
        sequence: u32,
        ack: Option<u32>,
        syn: bool,
        payload: &[u8],
    ) -> Vec<u8> {
        let a = (
            [10, 79, (self.number >> 8) as u8, 1],
            20_000 + self.number % 40_000,
        );
        let b = ([10, 78, 0, 2], 443);
        let ((from, source), (to, destination)) = if from_a { (a, b) } else { (b, a) };
        let mut tcp = PacketBuilder::ethernet2([2, 0x4c, 0, 0, 0, 1], [2, 0x4c, 0, 0, 0, 2])
            .ipv4(from, to, 64)
            .tcp(source, destination, sequence, u16::MAX);
        if syn {
            tcp = tcp.syn();
        }
        if let Some(ack) = ack {
            tcp = tcp.ack(ack);
        }
        let mut bytes = vec![0; HEADER_BYTES];
        tcp.write(&mut bytes, payload)
            .expect("a vector takes every byte");
        bytes
    }

    fn data(&mut self, a: &Link) -> io::Result<()> {
        self.data[TCP + 4..TCP + 8].copy_from_slice(&self.sequence.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(PAYLOAD.len() as u32);
        a.send_bytes(&self.data)
    }

    fn acknowledge(&mut self, b: &Link) -> io::Result<()> {
        self.acknowledgement[TCP + 8..TCP + 12].copy_from_slice(&self.sequence.to_be_bytes());
        b.send_bytes(&self.acknowledgement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_and_nothing_else() {
        let flood = Flood::parse("8 1000 50000").expect("valid");
        assert_eq!(
            flood,
            Flood {
                connections: 8,
                segments: 1000,
                per_second: 50_000
            }
        );
        for wrong in [
            "",
            "8 1000",
            "0 1 1",
            "8 1000 50000 1",
            "8 x 1",
            "70000 1 1",
        ] {
            assert_eq!(Flood::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_acknowledgement_covers_the_segment() {
        let mut connection = Connection::new(3);
        let sequence =
            |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"));
        assert_eq!(sequence(&connection.data[TCP + 4..]), 1000);
        assert_eq!(connection.data.len(), TCP + 20 + PAYLOAD.len());
        connection.sequence += 64;
        assert_eq!(sequence(&connection.acknowledgement[TCP + 8..]), 1000);
        assert_eq!(connection.acknowledgement.len(), TCP + 20);
    }
}
