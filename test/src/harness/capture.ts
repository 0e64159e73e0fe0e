/** A TCP segment over IPv4 in a capture. */
export interface CapturedSegment {
  /** Microseconds since the capture's first second. */
  readonly atUs: number;
  readonly from: readonly [address: string, port: number];
  readonly to: readonly [address: string, port: number];
  readonly seq: number;
  readonly ack?: number;
  readonly syn?: boolean;
  readonly payload?: string;
}

/** The second that captures of tests begin with, since 1970. */
export const CAPTURE_SECOND = 1_700_000_000;

const RAW_IP = 101;
const SYN = 2;
const ACK = 16;

/** A pcap file (little endian, microseconds, raw IP) of these segments. */
export function pcap(segments: readonly CapturedSegment[], linkType = RAW_IP): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(linkType, 20);
  return Buffer.concat([header, ...segments.flatMap((segment) => record(segment.atUs, packet(segment)))]);
}

function record(atUs: number, bytes: Buffer): Buffer[] {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(CAPTURE_SECOND + Math.floor(atUs / 1_000_000));
  header.writeUInt32LE(atUs % 1_000_000, 4);
  header.writeUInt32LE(bytes.length, 8);
  header.writeUInt32LE(bytes.length, 12);
  return [header, bytes];
}

function packet({ from, to, seq, ack, syn = false, payload = "" }: CapturedSegment): Buffer {
  const data = Buffer.from(payload);
  const bytes = Buffer.alloc(40);
  bytes[0] = 0x45;
  bytes.writeUInt16BE(40 + data.length, 2);
  bytes[8] = 64;
  bytes[9] = 6;
  bytes.set(from[0].split(".").map(Number), 12);
  bytes.set(to[0].split(".").map(Number), 16);
  bytes.writeUInt16BE(from[1], 20);
  bytes.writeUInt16BE(to[1], 22);
  bytes.writeUInt32BE(seq, 24);
  bytes.writeUInt32BE(ack ?? 0, 28);
  bytes[32] = 0x50;
  bytes[33] = (syn ? SYN : 0) | (ack === undefined ? 0 : ACK);
  bytes.writeUInt16BE(1000, 34);
  return Buffer.concat([bytes, data]);
}
