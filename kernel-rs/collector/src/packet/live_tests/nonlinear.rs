//! Packets of which the linear part holds the Ethernet header alone (ACCURACY.md 16).

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::{TimeVal, TimeValLike as _},
};

use super::{
    super::replay::tests::build::{conversation, dns, ends, frame, ipv4, ipv6, kind, udp},
    *,
};
use crate::{clock::monotonic_ns, proto::DnsProbe};

/// Sends frames as they are, in the pages of a socket buffer but for their first bytes: what is longer than a page and says
/// that only so much is header is made so (`packet_alloc_skb` of `net/packet/af_packet.c`).
struct Wire(OwnedFd);

impl Wire {
    /// More than a page, of any kernel that is tested.
    const LENGTH: usize = 5000;
    const ETHERNET: u16 = 14;
    /// `virtio_net_hdr`: flags, GSO type, length of the headers, and three words for GSO and checksums.
    const HEADER: usize = 10;

    /// What it hears there has passed the programs: sockets bound to one Ethernet type come after them.
    fn on(interface: &str, kind: u16) -> Self {
        const PACKET_VNET_HDR: libc::c_int = 15;
        let index = nix::net::if_::if_nametoindex(interface).unwrap();
        // SAFETY: plain calls; the address and the option outlive them.
        unsafe {
            let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            assert!(socket >= 0, "needs CAP_NET_RAW");
            let socket = OwnedFd::from_raw_fd(socket);
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = index as i32;
            address.sll_protocol = kind.to_be();
            let size = size_of_val(&address) as u32;
            let bound = libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size);
            let on: libc::c_int = 1;
            let set = libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                PACKET_VNET_HDR,
                (&raw const on).cast(),
                size_of_val(&on) as u32,
            );
            assert_eq!((bound, set), (0, 0));
            setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(60)).unwrap();
            Self(socket)
        }
    }

    /// Sends a frame, padded, and waits until the other end has it: a busy kernel leaves that to a thread of its own, and what
    /// goes out next would be seen before. The times before and after, between which it passed.
    fn send(&self, frame: &[u8], to: &Self) -> (u64, u64) {
        let mut bytes = vec![0; Self::HEADER + Self::LENGTH];
        bytes[2..4].copy_from_slice(&Self::ETHERNET.to_le_bytes());
        bytes[Self::HEADER..][..frame.len()].copy_from_slice(frame);
        let before = monotonic_ns();
        let sent = nix::unistd::write(&self.0, &bytes).unwrap();
        assert_eq!(sent, bytes.len());
        let mut heard = vec![0; bytes.len()];
        loop {
            let length = nix::unistd::read(&to.0, &mut heard).expect("the frame never came");
            // The kernel has something to say about neighbours, too.
            if heard[Self::HEADER..length].starts_with(frame) {
                return (before, monotonic_ns());
            }
        }
    }
}

/// An IPv4 or an IPv6 packet between these ends, of this protocol, around a payload.
type Form = fn(([u8; 4], [u8; 4]), u8, &[u8]) -> Vec<u8>;

/// What passed when: the sender's times of each frame, in the order of the conversation.
fn sent(form: Form) -> Vec<(u64, u64)> {
    let kind = kind(&form(ends(true), 6, &[]));
    let (near, far) = (Wire::on("near0", kind), Wire::on("far0", kind));
    let mut times = Vec::new();
    let mut send = |protocol: u8, segment: &[u8], forward: bool| {
        let (from, to) = if forward {
            (&near, &far)
        } else {
            (&far, &near)
        };
        times.push(from.send(&frame(&form(ends(forward), protocol, segment)), to));
    };
    conversation(|_, segment, forward| send(6, &segment, forward));
    for reply in [false, true] {
        let message = dns(7, reply, 3, &[b"not", b"linear"], 1);
        let ports = if reply { (53, 4000) } else { (4000, 53) };
        send(17, &udp(ports, &message), !reply);
    }
    times
}

#[test]
fn rule_16_headers_outside_the_linear_part_give_right_values() {
    /// Which frame of the conversation ends what the other starts.
    const EXPECTED: [(Metric, usize, usize); 5] = [
        (Metric::TcpHandshakeRemote, 0, 1),
        (Metric::TcpHandshakeLocal, 1, 2),
        (Metric::TcpRtt, 3, 4),
        (Metric::TcpFirstByte, 3, 4),
        (Metric::DnsReply, 5, 6),
    ];
    alone(|| {
        ip("link add near0 mtu 9000 type veth peer name far0 mtu 9000");
        ip("link set near0 up");
        ip("link set far0 up");
        let probe = |kind| Probe {
            kind: Some(kind),
            timeout: None,
        };
        let spec = SessionSpec {
            interfaces: vec!["near0".into()],
            probes: vec![
                probe(probe::Kind::Tcp(TcpProbe::default())),
                probe(probe::Kind::Dns(DnsProbe::default())),
            ],
            ..SessionSpec::default()
        };
        let collector = collector();
        let session = collector.start(&spec).unwrap();
        let times = [sent(ipv4), sent(ipv6)];
        session.stop(EndReason::SessionStopped);
        let (mut samples, _, totals) = read(&session, |it| {
            let latency: Duration = it.latency.unwrap().try_into().unwrap();
            let flow = it.flow.as_ref().unwrap();
            let ipv6 = flow.client_address.contains(':');
            (
                ipv6,
                it.metric(),
                latency.as_nanos() as u64,
                (it.subject.clone(), it.result),
            )
        });
        samples.sort_by_key(|it| (it.0, it.1 as i32));
        assert_eq!(samples.len(), 2 * EXPECTED.len(), "{samples:?}");
        assert_eq!(totals.refusals, []);
        for (at, (ipv6, metric, latency, named)) in samples.into_iter().enumerate() {
            let (expected, from, to) = EXPECTED[at % EXPECTED.len()];
            assert_eq!((ipv6, metric), (at >= EXPECTED.len(), expected));
            let (begun, ended) = (times[usize::from(ipv6)][from], times[usize::from(ipv6)][to]);
            let possible = ended.0 - begun.1..=ended.1 - begun.0;
            assert!(
                possible.contains(&latency),
                "{metric:?}: {latency} in {possible:?}"
            );
            if metric == Metric::DnsReply {
                assert_eq!(named, ("not.linear".to_owned(), 3));
            }
        }
    });
}
