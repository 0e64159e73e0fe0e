//! A TCP conversation, segment by segment.

use latscope_events::{metric::quality, sample::flags};

use super::{
    build::{self, A, ACK, B, SYN, frame, ipv4, ipv6},
    *,
};

pub(super) const FIN: u8 = 1;
pub(super) const RST: u8 = 4;
const PSH: u8 = 8;

pub(super) const SEQ: u16 = quality::SEQUENCE_MATCHED;
pub(super) const TS: u16 = quality::TIMESTAMP_MATCHED;
pub(super) const COVER: u16 = quality::SEQUENCE_MATCHED | quality::MAY_INCLUDE_ACK_DELAY;
pub(super) const REMOTE: u8 = metric::TCP_HANDSHAKE_REMOTE;
pub(super) const LOCAL: u8 = metric::TCP_HANDSHAKE_LOCAL;

/// Metric, latency in ms, quality without `INCLUDES_LOCAL_HOST`, from server, retries, result.
pub(super) type Found = (u8, u64, u16, bool, u8, i32);

/// A round trip.
pub(super) fn rtt(ms: u64, quality: u16, from_server: bool) -> Found {
    (metric::TCP_RTT, ms, quality, from_server, 0, 0)
}

/// A half of a handshake, unambiguous.
pub(super) fn half(metric: u8, ms: u64) -> Found {
    (metric, ms, 0, metric == LOCAL, 0, 0)
}

/// A conversation under construction: who sends what, when.
pub(super) struct Wire {
    pub(super) replay: Replay,
    pub(super) ipv6: bool,
    pub(super) ports: (u16, u16),
}

/// A segment to send.
#[derive(Clone, Copy, Default)]
pub(super) struct Out {
    seq: u32,
    ack: u32,
    flags: u8,
    payload: u16,
    timestamps: Option<(u32, u32)>,
    options: &'static [u8],
}

impl Out {
    /// With so much payload.
    pub(super) fn with(self, payload: u16) -> Self {
        Self { payload, ..self }
    }

    /// With further options, a multiple of four bytes.
    pub(super) fn options(self, options: &'static [u8]) -> Self {
        Self { options, ..self }
    }

    /// With `TSval` and `TSecr`.
    pub(super) fn stamped(self, tsval: u32, tsecr: u32) -> Self {
        Self {
            timestamps: Some((tsval, tsecr)),
            ..self
        }
    }
}

pub(super) fn syn(seq: u32) -> Out {
    Out {
        seq,
        flags: SYN,
        ..Out::default()
    }
}

pub(super) fn syn_ack(seq: u32, ack: u32) -> Out {
    Out {
        seq,
        ack,
        flags: SYN | ACK,
        ..Out::default()
    }
}

pub(super) fn ack(seq: u32, ack: u32) -> Out {
    Out {
        seq,
        ack,
        flags: ACK,
        ..Out::default()
    }
}

pub(super) fn data(seq: u32, ack: u32, payload: u16) -> Out {
    Out {
        flags: ACK | PSH,
        payload,
        ..self::ack(seq, ack)
    }
}

pub(super) fn fin(seq: u32, ack: u32) -> Out {
    Out {
        flags: FIN | ACK,
        ..self::ack(seq, ack)
    }
}

/// A reset that acknowledges; its own number is 0.
pub(super) fn rst(ack: u32) -> Out {
    rst_at(0, ack)
}

pub(super) fn rst_at(seq: u32, ack: u32) -> Out {
    Out {
        flags: RST | ACK,
        ..self::ack(seq, ack)
    }
}

impl Wire {
    pub(super) fn new() -> Self {
        Self {
            replay: Replay::open(false, false).expect("needs root and BPF"),
            ipv6: false,
            ports: (40000, 80),
        }
    }

    pub(super) fn client(&mut self, at_ms: u64, out: Out) {
        self.send(at_ms, out, true);
    }

    pub(super) fn server(&mut self, at_ms: u64, out: Out) {
        self.send(at_ms, out, false);
    }

    fn send(&mut self, at_ms: u64, out: Out, from_client: bool) {
        let bytes = self.frame(out, from_client);
        self.feed(at_ms, &bytes, from_client);
    }

    /// Shows a frame; `outbound` when this host sends it.
    pub(super) fn feed(&mut self, at_ms: u64, bytes: &[u8], outbound: bool) {
        let fed = self.replay.feed(&Frame {
            bytes,
            wire_length: bytes.len() as u32,
            time_ns: at_ms * MS + EPOCH_NS,
            raw: false,
            interface: 1,
            outbound,
        });
        assert!(fed.unwrap());
    }

    pub(super) fn frame(&self, out: Out, from_client: bool) -> Vec<u8> {
        let (client, server) = self.ports;
        let (ports, ends) = if from_client {
            ((client, server), (A, B))
        } else {
            ((server, client), (B, A))
        };
        let mut payload = out.options.to_vec();
        if let Some((tsval, tsecr)) = out.timestamps {
            payload.extend([1, 1, 8, 10]);
            payload.extend(tsval.to_be_bytes());
            payload.extend(tsecr.to_be_bytes());
        }
        let options = payload.len();
        payload.resize(options + usize::from(out.payload), b'x');
        let mut segment = build::tcp(ports, out.seq, out.ack, out.flags, &payload);
        segment[12] = (((20 + options) / 4) << 4) as u8;
        frame(&if self.ipv6 {
            ipv6(ends, 6, &segment)
        } else {
            ipv4(ends, 6, &segment)
        })
    }

    /// Everything measured since the last call.
    pub(super) fn found(&mut self) -> Vec<Found> {
        self.replay
            .records()
            .iter()
            .map(|Record { sample: it, .. }| {
                assert_eq!(it.latency_ns % MS, 0, "exact to the nanosecond");
                (
                    it.metric,
                    it.latency_ns / MS,
                    it.quality & !quality::INCLUDES_LOCAL_HOST,
                    it.flags & flags::FROM_SERVER != 0,
                    it.retries,
                    it.result,
                )
            })
            .collect()
    }

    pub(super) fn refused(&self, reason: u32) -> u64 {
        self.replay.refusals().unwrap()[reason as usize]
    }

    pub(super) fn unanswered(&self) -> u64 {
        self.replay.unanswered().unwrap()
    }

    /// SYN at 0, SYN-ACK at 10, ACK at 11; the client's first byte is 101, the server's 501. What that gave is forgotten.
    pub(super) fn open(&mut self) {
        self.client(0, syn(100));
        self.server(10, syn_ack(500, 101));
        self.client(11, ack(101, 501));
        self.found();
    }
}
