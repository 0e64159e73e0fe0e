//! Numbers of the metrics, those of `latscope.v1.Metric`.

/// SYN to SYN-ACK.
pub const TCP_HANDSHAKE_REMOTE: u8 = 1;
/// SYN-ACK to ACK.
pub const TCP_HANDSHAKE_LOCAL: u8 = 2;
/// Data to its acknowledgement.
pub const TCP_RTT: u8 = 3;
/// First request byte to first response byte.
pub const TCP_FIRST_BYTE: u8 = 4;
/// SYN to RST.
pub const TCP_CONNECT_FAILURE: u8 = 5;
/// First packet of a burst to the first packet back.
pub const UDP_REPLY: u8 = 6;
/// DNS query to its answer.
pub const DNS_REPLY: u8 = 7;
/// Echo request to echo reply.
pub const ICMP_ECHO: u8 = 8;
/// Client's first Initial to the server's first Initial or Handshake packet.
pub const QUIC_HANDSHAKE: u8 = 9;
/// One period of the QUIC spin bit.
pub const QUIC_SPIN_RTT: u8 = 10;
/// A round trip as the socket's own stack measured it.
pub const SOCKET_RTT: u8 = 11;
/// connect to its end.
pub const SOCKET_CONNECT: u8 = 12;
/// Start of a retransmission timeout to the retransmission.
pub const SOCKET_RETRANSMIT: u8 = 13;

/// More than the largest metric number that the packet and the socket engine know; the length of tables indexed by metric.
pub const PACKET_METRICS: usize = 16;

/// Bits of a sample's quality mask: bit n is `latscope.v1.Quality` n.
pub mod quality {
    /// From the first SYN; includes the retry wait.
    pub const SYN_RETRANSMITTED: u16 = 1 << 1;
    /// The acknowledgement covers the segment without ending at it.
    pub const MAY_INCLUDE_ACK_DELAY: u16 = 1 << 2;
    /// The answering stack is this host.
    pub const INCLUDES_LOCAL_HOST: u16 = 1 << 3;
    /// Matched by an echoed timestamp (RFC 7323).
    pub const TIMESTAMP_MATCHED: u16 = 1 << 4;
    /// Matched by sequence number.
    pub const SEQUENCE_MATCHED: u16 = 1 << 5;
    /// From the first copy of the query.
    pub const QUERY_RETRANSMITTED: u16 = 1 << 6;
    /// Of two neighbouring smoothed values.
    pub const DERIVED_FROM_SRTT: u16 = 1 << 7;
}
