//! Which frames the relay loses on purpose, so that a real stack retransmits.

use std::str::FromStr;

use etherparse::{LaxSlicedPacket, TransportSlice};

/// A kind of TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SYN set, with or without ACK.
    Syn,
    /// Carries payload.
    Data,
    /// Neither SYN nor payload nor FIN nor RST.
    Ack,
}

/// The n-th segment of a kind in one direction, from 1: `syn:1`, `data:3`, `ack:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    kind: Kind,
    nth: u64,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("\"{text}\" is not KIND:N with syn, data or ack as KIND and N from 1");
        let (kind, nth) = text.split_once(':').ok_or_else(wrong)?;
        let kind = match kind {
            "syn" => Kind::Syn,
            "data" => Kind::Data,
            "ack" => Kind::Ack,
            _ => return Err(wrong()),
        };
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?;
        Ok(Self { kind, nth })
    }
}

/// The frames to lose in one direction, with the count of what passed so far.
pub(crate) struct Drops {
    selectors: Vec<Selector>,
    seen: [u64; 3],
}

impl Drops {
    pub(crate) fn new(selectors: Vec<Selector>) -> Self {
        Self {
            selectors,
            seen: [0; 3],
        }
    }

    /// Whether this Ethernet frame is one to lose. To be asked once for every frame, in order.
    pub(crate) fn takes(&mut self, frame: &[u8]) -> bool {
        if self.selectors.is_empty() {
            return false;
        }
        let Some(kind) = classify(frame) else {
            return false;
        };
        let seen = &mut self.seen[kind as usize];
        *seen += 1;
        self.selectors.contains(&Selector { kind, nth: *seen })
    }
}

fn classify(frame: &[u8]) -> Option<Kind> {
    let packet = LaxSlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        return None;
    };
    if tcp.syn() {
        Some(Kind::Syn)
    } else if !tcp.payload().is_empty() {
        Some(Kind::Data)
    } else if tcp.fin() || tcp.rst() {
        None
    } else {
        Some(Kind::Ack)
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn segment(syn: bool, payload: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(4000, 80, 1, 1000);
        let builder = if syn { builder.syn() } else { builder.ack(1) };
        let mut frame = Vec::new();
        builder
            .write(&mut frame, payload)
            .expect("a Vec takes any frame");
        frame
    }

    #[test]
    fn takes_exactly_the_nth_of_its_kind() {
        let mut drops = Drops::new(vec![
            "data:2".parse().expect("valid"),
            "syn:1".parse().expect("valid"),
        ]);
        assert!(drops.takes(&segment(true, b"")));
        assert!(!drops.takes(&segment(true, b"")));
        assert!(!drops.takes(&segment(false, b"one")));
        assert!(!drops.takes(&segment(false, b"")));
        assert!(drops.takes(&segment(false, b"two")));
        assert!(!drops.takes(&segment(false, b"three")));
    }

    #[test]
    fn what_is_not_tcp_is_never_taken() {
        let mut drops = Drops::new(vec!["data:1".parse().expect("valid")]);
        assert!(!drops.takes(&[0; 60]));
        assert!(!drops.takes(&[]));
    }
}
