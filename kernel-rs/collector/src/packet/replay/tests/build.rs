//! Frames, built from the inside out.

pub(in crate::packet) const A: [u8; 4] = [10, 0, 0, 1];
pub(in crate::packet) const B: [u8; 4] = [10, 0, 0, 2];

pub(in crate::packet) const SYN: u8 = 2;
pub(in crate::packet) const ACK: u8 = 16;

pub(in crate::packet) fn tcp(
    ports: (u16, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend(seq.to_be_bytes());
    bytes.extend(ack.to_be_bytes());
    bytes.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

pub(in crate::packet) fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// An IPv4 packet; `options` is a multiple of four long, `fragment` the 16 bits of flags and offset.
pub(in crate::packet) fn ipv4_with(
    ends: ([u8; 4], [u8; 4]),
    protocol: u8,
    options: &[u8],
    fragment: u16,
    payload: &[u8],
) -> Vec<u8> {
    let header = 20 + options.len();
    let mut bytes = vec![0x40 | (header / 4) as u8, 0];
    bytes.extend(((header + payload.len()) as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend(ends.0);
    bytes.extend(ends.1);
    bytes.extend(options);
    bytes.extend(payload);
    bytes
}

pub(in crate::packet) fn ipv4(ends: ([u8; 4], [u8; 4]), protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(ends, protocol, &[], 0, payload)
}

pub(in crate::packet) fn ipv6(ends: ([u8; 4], [u8; 4]), next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload.len() as u16).to_be_bytes());
    bytes.extend([next, 64]);
    for end in [ends.0, ends.1] {
        bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(end);
    }
    bytes.extend(payload);
    bytes
}

pub(in crate::packet) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    bytes.extend(kind.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An Ethernet frame with whichever IP the packet is.
pub(in crate::packet) fn frame(packet: &[u8]) -> Vec<u8> {
    ethernet(kind(packet), packet)
}

pub(in crate::packet) fn kind(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }
}

/// What each of a handshake and one exchange of data is made of: SYN at 0, SYN-ACK at 10, ACK at 12, request at 20, reply at
/// 50 that acknowledges it. `wrap` makes a frame of a segment from A to B (or back).
pub(in crate::packet) fn conversation(mut show: impl FnMut(u64, Vec<u8>, bool)) {
    let (to, back) = ((40000, 80), (80, 40000));
    show(0, tcp(to, 100, 0, SYN, &[]), true);
    show(10, tcp(back, 500, 101, SYN | ACK, &[]), false);
    show(12, tcp(to, 101, 501, ACK, &[]), true);
    show(20, tcp(to, 101, 501, ACK, b"GET"), true);
    show(50, tcp(back, 501, 104, ACK, b"200"), false);
}

pub(in crate::packet) fn ends(forward: bool) -> ([u8; 4], [u8; 4]) {
    if forward { (A, B) } else { (B, A) }
}

/// A DNS message with one question.
pub(in crate::packet) fn dns(
    id: u16,
    reply: bool,
    rcode: u8,
    name: &[&[u8]],
    kind: u16,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(id.to_be_bytes());
    bytes.extend([
        if reply { 0x81 } else { 0x01 },
        rcode,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    for label in name {
        bytes.push(label.len() as u8);
        bytes.extend(*label);
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}
