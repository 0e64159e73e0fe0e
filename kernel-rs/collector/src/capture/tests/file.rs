//! What is read of a file, whatever it holds.

use proptest::prelude::*;

use super::{
    super::{file::CaptureFile, link, side::Sides},
    writer::{MICRO, NANO, Writer},
};

/// Bytes, wire length, time, link type, interface of a packet.
type Read = (Vec<u8>, u32, Option<u64>, u16, String);

/// The packets of a file, and what went wrong behind them.
fn read(bytes: &[u8]) -> (Vec<Read>, Option<String>) {
    let mut packets = Vec::new();
    let mut file = match CaptureFile::open(bytes) {
        Ok(file) => file,
        Err(why) => return (packets, Some(why)),
    };
    loop {
        match file.next() {
            Ok(Some(packet)) => {
                let index = packet.interface;
                let (bytes, wire, time, link_type) = (
                    packet.bytes.to_vec(),
                    packet.wire_length,
                    packet.time_ns,
                    packet.link_type,
                );
                let name = file.interface(index).to_owned();
                packets.push((bytes, wire, time, link_type, name));
            }
            Ok(None) => return (packets, None),
            Err(why) => {
                assert_eq!(file.next(), Ok(None), "an error is told once");
                return (packets, Some(why));
            }
        }
    }
}

fn found(packet: &[u8], time: impl Into<Option<u64>>, link_type: u16, name: &str) -> Read {
    let length = packet.len() as u32;
    (
        packet.to_vec(),
        length,
        time.into(),
        link_type,
        name.to_owned(),
    )
}

#[test]
fn pcap_in_both_byte_orders_and_both_units() {
    for big in [false, true] {
        for (magic, unit) in [(MICRO, 1000), (NANO, 1)] {
            let mut file = Writer::pcap(big, magic, 1);
            file.record(1_700_000_000, 123_456, b"first");
            file.record(0, 0, b"");
            file.record(u32::MAX, 999_999, b"last");
            let expected = vec![
                found(b"first", 1_700_000_000_000_000_000 + 123_456 * unit, 1, ""),
                found(b"", 0, 1, ""),
                found(
                    b"last",
                    u64::from(u32::MAX) * 1_000_000_000 + 999_999 * unit,
                    1,
                    "",
                ),
            ];
            assert_eq!(read(&file.bytes), (expected, None), "{big} {magic:x}");
        }
    }
}

#[test]
fn pcap_that_kept_less_than_was_on_the_wire() {
    let mut file = Writer::pcap(false, MICRO, 1);
    file.words(&[1, 2, 3, 1500]);
    file.bytes.extend(b"abc");
    let expected = (b"abc".to_vec(), 1500, Some(1_000_002_000), 1, String::new());
    assert_eq!(read(&file.bytes), (vec![expected], None));
}

#[test]
fn pcap_with_the_length_of_a_check_sequence_beside_the_link_type() {
    let mut file = Writer::pcap(true, MICRO, 0x2400_0001);
    file.record(1, 0, b"x");
    assert_eq!(
        read(&file.bytes),
        (vec![found(b"x", 1_000_000_000, 1, "")], None)
    );
}

#[test]
fn pcap_with_longer_record_headers() {
    let mut file = Writer::pcap(false, 0xa1b2_cd34, 1);
    file.words(&[1, 2, 3, 3, 0, 0]);
    file.bytes.extend(b"abc");
    assert_eq!(
        read(&file.bytes),
        (vec![found(b"abc", 1_000_002_000, 1, "")], None)
    );
}

#[test]
fn pcapng_with_interfaces_of_their_own_links_and_clocks() {
    for big in [false, true] {
        let mut file = Writer::new(big);
        file.section();
        file.interface(1, &[(2, b"eth0")]);
        file.interface(101, &[(2, b"tun0"), (9, &[9])]);
        file.interface(113, &[(9, &[0x94])]);
        let hour = 3600_i64;
        let offset = if big {
            hour.to_be_bytes()
        } else {
            hour.to_le_bytes()
        };
        file.interface(0, &[(9, &[12]), (14, &offset)]);
        file.block(0x0bad_beef, |block| block.bytes.extend(b"of no known type"));
        file.packet(0, 1_700_000_000_123_456, b"us");
        file.packet(1, 1_700_000_000_123_456_789, b"nanos");
        file.packet(2, 3 << 19, b"binary");
        file.packet(3, 1_999, b"ps");
        file.packet(0, u64::MAX, b"far");
        let expected = vec![
            found(b"us", 1_700_000_000_123_456_000, 1, "eth0"),
            found(b"nanos", 1_700_000_000_123_456_789, 101, "tun0"),
            found(b"binary", 1_500_000_000, 113, ""),
            found(b"ps", 3_600_000_000_001, 0, ""),
            found(b"far", None, 1, "eth0"),
        ];
        assert_eq!(read(&file.bytes), (expected, None), "big endian: {big}");
    }
}

#[test]
fn pcapng_sections_have_interfaces_and_byte_orders_of_their_own() {
    let mut file = Writer::pcapng(false, &[1]);
    file.packet(0, 5, b"a");
    let mut second = Writer::pcapng(true, &[101]);
    second.packet(0, 6, b"b");
    file.bytes.extend(second.bytes);
    let expected = vec![found(b"a", 5, 1, "eth0"), found(b"b", 6, 101, "eth0")];
    assert_eq!(read(&file.bytes), (expected, None));
}

#[test]
fn pcapng_packets_of_other_kinds() {
    for big in [false, true] {
        let mut file = Writer::pcapng(big, &[1, 101]);
        file.simple_packet(b"timeless");
        file.obsolete_packet(1, 1 << 33 | 7, b"old");
        let expected = vec![
            found(b"timeless", None, 1, "eth0"),
            found(b"old", 1 << 33 | 7, 101, "eth1"),
        ];
        assert_eq!(read(&file.bytes), (expected, None));
    }
}

#[test]
fn what_is_no_capture_says_so() {
    for (bytes, why) in [
        (&b""[..], "is empty"),
        (b"abc", "is no pcap or pcapng file"),
        (b"GIF89a, surely no capture", "is no pcap or pcapng file"),
        (
            b"\xd4\xc3\xb2\xa1\x02\x00",
            "header: the file ends after 6 of 24 bytes",
        ),
        (
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\0\0\0\0",
            "packet 1: a section of no known byte order",
        ),
        (
            b"\x0a\x0d\x0d\x0a\x00\0\0\0\x4d\x3c\x2b\x1a",
            "packet 1: a block of 0 bytes",
        ),
    ] {
        assert_eq!(read(bytes), (vec![], Some(why.to_owned())));
    }
}

#[test]
fn a_file_cut_anywhere_gives_what_came_before() {
    let mut pcap = Writer::pcap(false, MICRO, 1);
    pcap.record(1, 0, b"0123456789");
    let whole = pcap.bytes.len();
    pcap.record(2, 0, b"0123456789");
    for length in whole + 1..pcap.bytes.len() {
        let (packets, why) = read(&pcap.bytes[..length]);
        assert_eq!(packets, [found(b"0123456789", 1_000_000_000, 1, "")]);
        let (there, wanted) = match length - whole {
            there @ ..16 => (there, 16),
            there => (there - 16, 10),
        };
        assert_eq!(
            why.unwrap(),
            format!("packet 2: the file ends after {there} of {wanted} bytes")
        );
    }
    let mut pcapng = Writer::pcapng(true, &[1]);
    pcapng.packet(0, 1, b"0123456789");
    let whole = pcapng.bytes.len();
    pcapng.packet(0, 2, b"0123456789");
    for length in whole + 1..pcapng.bytes.len() {
        let (packets, why) = read(&pcapng.bytes[..length]);
        assert_eq!(packets, [found(b"0123456789", 1, 1, "eth0")]);
        assert!(why.unwrap().starts_with("packet 2: the file ends after"));
    }
}

#[test]
fn false_lengths_cost_nothing_and_are_named() {
    let mut pcap = Writer::pcap(false, MICRO, 1);
    pcap.record(1, 0, b"good");
    pcap.words(&[2, 0, u32::MAX, 60]);
    pcap.bytes.extend([0; 60]);
    let (packets, why) = read(&pcap.bytes);
    assert_eq!(packets.len(), 1);
    assert_eq!(
        why.unwrap(),
        "packet 2: claims 4294967295 bytes, more than 16777216"
    );

    let mut pcapng = Writer::pcapng(false, &[1]);
    pcapng.words(&[6, u32::MAX]);
    assert_eq!(
        read(&pcapng.bytes).1.unwrap(),
        "packet 1: claims 4294967295 bytes, more than 16777216"
    );

    let mut inside = Writer::pcapng(false, &[1]);
    inside.block(6, |block| block.words(&[0, 0, 0, 500, 500]));
    assert_eq!(
        read(&inside.bytes).1.unwrap(),
        "packet 1: a malformed block of type 0x6"
    );

    let mut nowhere = Writer::pcapng(false, &[1]);
    nowhere.packet(3, 1, b"x");
    assert_eq!(
        read(&nowhere.bytes).1.unwrap(),
        "packet 1: of interface 3, of which the file says nothing"
    );
}

/// Files to mutate.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for big in [false, true] {
        let mut pcap = Writer::pcap(big, NANO, 113);
        let mut pcapng = Writer::pcapng(big, &[1, 276]);
        for n in 0..5 {
            let packet: Vec<u8> = (0..40 + n as u8)
                .map(|byte| byte.wrapping_mul(37))
                .collect();
            pcap.record(n, n, &packet);
            pcapng.packet(n % 2, u64::from(n), &packet);
            pcapng.obsolete_packet(0, u64::from(n), &packet);
            pcapng.simple_packet(&packet);
        }
        seeds.extend([pcap.bytes, pcapng.bytes]);
    }
    seeds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_file_makes_it_panic_or_go_on_for_ever(
        seed in 0..4_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        keep_whole in any::<bool>(),
    ) {
        let mut bytes = seeds()[seed].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !keep_whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut sides = Sides::new(Vec::new());
        for (packet, _, _, link_type, _) in read(&bytes).0 {
            link::seen_at(link_type, &packet);
            match link::framed(link_type, &packet) {
                link::Framed::Ethernet { bytes, .. } => {
                    let ip = link::ip_at(&bytes).and_then(|at| bytes.get(at..));
                    sides.is_outbound(ip.unwrap_or_default());
                }
                link::Framed::Raw { bytes, .. } => {
                    sides.is_outbound(bytes);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn no_bytes_make_a_link_layer_panic(
        link_type in prop::sample::select(vec![0_u16, 1, 9, 12, 50, 101, 108, 113, 228, 276, 999]),
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        link::seen_at(link_type, &bytes);
        let _ = link::ip_at(&bytes);
        let _ = link::framed(link_type, &bytes);
    }
}
