/** A hand-made TCP segment in an Ethernet frame. Unset fields are the plainest: no flags, no payload, no options. */
export interface Segment {
  /** Which end sends it: end `a` has the address 10.78.0.1 or fd78::1, end `b` 10.78.0.2 or fd78::2. */
  readonly from: "a" | "b";
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  /** Sets the ACK flag too. */
  readonly acknowledges?: number;
  readonly syn?: boolean;
  readonly fin?: boolean;
  readonly rst?: boolean;
  /** Bytes of payload. */
  readonly payload?: number;
  /** TSval and TSecr. */
  readonly timestamps?: readonly [number, number];
  readonly ipv6?: boolean;
  /** VLAN ids of tags in the frame, the outer first. */
  readonly vlans?: readonly number[];
}

/** Addresses in hand-made segments. No interface has them, so that no stack answers. */
export const CRAFTED = {
  a: { v4: "10.78.0.1", v6: "fd78::1" },
  b: { v4: "10.78.0.2", v6: "fd78::2" },
} as const;

const HOST = { a: 1, b: 2 } as const;

/** The segment as an Ethernet frame, checksums included, in hex. */
export function frame(segment: Segment): string {
  const tcp = tcpSegment(segment);
  const [from, to] = segment.from === "a" ? [HOST.a, HOST.b] : [HOST.b, HOST.a];
  const source = address(segment, from);
  const destination = address(segment, to);
  const pseudo = Buffer.concat([source, destination, u32(tcp.length), u32(6)]);
  tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp])), 16);
  const stations = Buffer.from([2, 0x4c, 0, 0, 0, to, 2, 0x4c, 0, 0, 0, from]);
  const kind = Buffer.from(segment.ipv6 ? [0x86, 0xdd] : [8, 0]);
  const ethernet = Buffer.concat([stations, ...(segment.vlans ?? []).map(tag), kind]);
  return Buffer.concat([ethernet, ipHeader(segment, source, destination, tcp.length), tcp]).toString("hex");
}

/** A tag; the outer of two is a service tag (IEEE 802.1ad). */
function tag(vlan: number, at: number, all: readonly number[]): Buffer {
  return u32(((at + 1 < all.length ? 0x88a8 : 0x8100) << 16) | vlan);
}

function address(segment: Segment, host: number): Buffer {
  return segment.ipv6 ? Buffer.from([0xfd, 0x78, ...Array<number>(13).fill(0), host]) : Buffer.from([10, 78, 0, host]);
}

function ipHeader(segment: Segment, source: Buffer, destination: Buffer, payload: number): Buffer {
  if (segment.ipv6) {
    return Buffer.concat([u32(0x60000000), u32((payload << 16) | (6 << 8) | 64), source, destination]);
  }
  const header = Buffer.concat([
    u32((0x4500 << 16) | (20 + payload)),
    u32(0x4000),
    u32(0x40060000),
    source,
    destination,
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function tcpSegment(segment: Segment): Buffer {
  const options = segment.timestamps
    ? Buffer.concat([Buffer.from([1, 1, 8, 10]), u32(segment.timestamps[0]), u32(segment.timestamps[1])])
    : Buffer.alloc(0);
  const flags =
    (segment.fin ? 0x01 : 0) |
    (segment.syn ? 0x02 : 0) |
    (segment.rst ? 0x04 : 0) |
    (segment.payload ? 0x08 : 0) |
    (segment.acknowledges === undefined ? 0 : 0x10);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(segment.sourcePort, 0);
  header.writeUInt16BE(segment.destinationPort, 2);
  header.writeUInt32BE(segment.sequence >>> 0, 4);
  header.writeUInt32BE((segment.acknowledges ?? 0) >>> 0, 8);
  header.writeUInt8((5 + options.length / 4) << 4, 12);
  header.writeUInt8(flags, 13);
  header.writeUInt16BE(65_535, 14);
  return Buffer.concat([header, options, Buffer.alloc(segment.payload ?? 0, 0x6c)]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** The Internet checksum, RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : bytes.readUInt8(at) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
