//! A sample as a line of JSON, as the command line writes those of live sessions (clients/cli/src/format/json.ts).

use std::io::Write as _;

use crate::{
    proto::{IpProtocol, Quality},
    sample::{FlowView, Sample},
    text,
};

const WRITES: &str = "writing to memory never fails";

/// Appends the line, with its end. Integers are exact; what has the value of nothing is left out behind `subject`.
pub(super) fn write(out: &mut Vec<u8>, sample: &Sample<'_>) {
    let Sample {
        time_unix_ns,
        latency_ns,
        metric,
        quality,
        probe,
        retries,
        result,
        subject,
        flow,
        process: _,
    } = sample;
    let name = metric.as_str_name();
    write!(
        out,
        "{{\"metric\":\"{name}\",\"time_ns\":{time_unix_ns},\"latency_ns\":{latency_ns},"
    )
    .expect(WRITES);
    match flow {
        Some(flow) => write_ends(out, flow),
        None => out.extend_from_slice(
            b"\"client_address\":null,\"client_port\":null,\"server_address\":null,\"server_port\":null,\"interface\":null",
        ),
    }
    out.extend_from_slice(b",\"quality\":[");
    write_qualities(out, *quality);
    write!(out, "],\"result\":{result},\"subject\":").expect(WRITES);
    write_string(out, subject);
    if let Some(flow) = flow {
        write_details(out, flow);
    }
    write_number(out, "retries", u64::from(*retries));
    write_number(out, "probe", u64::from(*probe));
    out.extend_from_slice(b"}\n");
}

fn write_ends(out: &mut Vec<u8>, flow: &FlowView<'_>) {
    let FlowView {
        ipv4,
        client_address,
        server_address,
        client_port,
        server_port,
        interface,
        ..
    } = flow;
    let client = text::address(*ipv4, client_address);
    let server = text::address(*ipv4, server_address);
    write!(
        out,
        "\"client_address\":\"{client}\",\"client_port\":{client_port},\"server_address\":\"{server}\",\"server_port\":{server_port},\"interface\":"
    )
    .expect(WRITES);
    write_string(out, interface);
}

fn write_qualities(out: &mut Vec<u8>, mask: u32) {
    let mut first = true;
    for bit in (0..u32::BITS).filter(|bit| mask >> bit & 1 != 0) {
        if !first {
            out.push(b',');
        }
        first = false;
        match Quality::try_from(bit as i32) {
            Ok(quality) => write!(out, "\"{}\"", quality.as_str_name()),
            Err(_) => write!(out, "\"QUALITY_{bit}\""),
        }
        .expect(WRITES);
    }
}

fn write_details(out: &mut Vec<u8>, flow: &FlowView<'_>) {
    let FlowView {
        direction,
        protocol,
        vlan_id,
        measured_from_server,
        network_namespace,
        opener_unknown,
        ttl,
        ..
    } = flow;
    if *protocol != IpProtocol::Unspecified {
        write!(out, ",\"protocol\":\"{}\"", protocol.as_str_name()).expect(WRITES);
    }
    if *direction != crate::proto::Direction::Unspecified {
        write!(out, ",\"direction\":\"{}\"", direction.as_str_name()).expect(WRITES);
    }
    if *measured_from_server {
        out.extend_from_slice(b",\"measured_from_server\":true");
    }
    if *opener_unknown {
        out.extend_from_slice(b",\"opener_unknown\":true");
    }
    write_number(out, "vlan_id", u64::from(*vlan_id));
    write_number(out, "ttl", u64::from(*ttl));
    write_number(out, "network_namespace", *network_namespace);
}

fn write_number(out: &mut Vec<u8>, key: &str, value: u64) {
    if value != 0 {
        write!(out, ",\"{key}\":{value}").expect(WRITES);
    }
}

/// Nothing but ASCII, so that a terminal acts on nothing in it; a parser gets the text itself.
fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let json = serde_json::to_string(&text::escape(bytes)).expect("text always serializes");
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character as u8);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect(WRITES);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Direction, Metric};

    fn line(sample: &Sample<'_>) -> String {
        let mut out = Vec::new();
        write(&mut out, sample);
        String::from_utf8(out).unwrap()
    }

    fn v4(address: [u8; 4]) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&address);
        bytes
    }

    #[test]
    fn a_round_trip() {
        let sample = Sample {
            time_unix_ns: 1_700_000_000_218_000_001,
            latency_ns: 9_007_199_254_740_993,
            metric: Metric::TcpRtt,
            quality: 1 << Quality::SequenceMatched as u32 | 1 << Quality::IncludesLocalHost as u32,
            probe: 0,
            retries: 0,
            result: 0,
            subject: b"",
            flow: Some(FlowView {
                ipv4: true,
                client_address: v4([10, 0, 0, 7]),
                server_address: v4([142, 250, 74, 46]),
                client_port: 51334,
                server_port: 443,
                direction: Direction::Outbound,
                protocol: IpProtocol::Tcp,
                interface: b"eth0",
                vlan_id: 0,
                measured_from_server: false,
                network_namespace: 0,
                opener_unknown: false,
                ttl: 0,
            }),
            process: None,
        };
        assert_eq!(
            line(&sample),
            "{\"metric\":\"METRIC_TCP_RTT\",\"time_ns\":1700000000218000001,\"latency_ns\":9007199254740993,\
             \"client_address\":\"10.0.0.7\",\"client_port\":51334,\"server_address\":\"142.250.74.46\",\"server_port\":443,\
             \"interface\":\"eth0\",\"quality\":[\"QUALITY_INCLUDES_LOCAL_HOST\",\"QUALITY_SEQUENCE_MATCHED\"],\"result\":0,\"subject\":\"\",\
             \"protocol\":\"IP_PROTOCOL_TCP\",\"direction\":\"DIRECTION_OUTBOUND\"}\n"
        );
    }

    #[test]
    fn everything_of_a_flow_and_hostile_text() {
        let sample = Sample {
            time_unix_ns: 1,
            latency_ns: 2,
            metric: Metric::DnsReply,
            quality: 1 << 31,
            probe: 1,
            retries: 2,
            result: -3,
            subject: b"a\"\\\xff\n",
            flow: Some(FlowView {
                ipv4: false,
                client_address: [0xff; 16],
                server_address: [0; 16],
                client_port: 0,
                server_port: 53,
                direction: Direction::Forwarded,
                protocol: IpProtocol::Udp,
                interface: "\x1b\u{202e}\u{1f600}".as_bytes(),
                vlan_id: 5,
                measured_from_server: true,
                network_namespace: u64::MAX,
                opener_unknown: true,
                ttl: 64,
            }),
            process: None,
        };
        assert_eq!(
            line(&sample),
            "{\"metric\":\"METRIC_DNS_REPLY\",\"time_ns\":1,\"latency_ns\":2,\"client_address\":\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\",\
             \"client_port\":0,\"server_address\":\"::\",\"server_port\":53,\"interface\":\"\\\\x1b\\u202e\\ud83d\\ude00\",\"quality\":[\"QUALITY_31\"],\"result\":-3,\
             \"subject\":\"a\\\"\\\\\\\\xff\\\\x0a\",\"protocol\":\"IP_PROTOCOL_UDP\",\"direction\":\"DIRECTION_FORWARDED\",\
             \"measured_from_server\":true,\"opener_unknown\":true,\"vlan_id\":5,\"ttl\":64,\"network_namespace\":18446744073709551615,\
             \"retries\":2,\"probe\":1}\n"
        );
    }
}
