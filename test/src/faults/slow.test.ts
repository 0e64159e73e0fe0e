import { Authority } from "@latscope/service/testing/authority";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { eventually } from "../harness/eventually.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { openFiles, ownMemory } from "../harness/usage.js";
import { callHeaders, END_HEADERS, FrameType, grpcMessage, http2Frame, openBytes, PREFACE } from "./bytes.js";
import { answering, Witness } from "./witness.js";

const EACH = 40;
const MEGABYTE = 1 << 20;

const settings = http2Frame(FrameType.settings, 0, 0);
const headers = callHeaders("/latscope.v1.NodeService/GetStatus");

/** What a client sends and then leaves it at. */
const BEGINNINGS: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  "half a preface": PREFACE.subarray(0, 12),
  "half the head of a frame": Buffer.concat([PREFACE, settings.subarray(0, 5)]),
  "half a header block": Buffer.concat([
    PREFACE,
    settings,
    http2Frame(FrameType.headers, END_HEADERS, 1, headers).subarray(0, 30),
  ]),
  "a header block that is to go on": Buffer.concat([PREFACE, settings, http2Frame(FrameType.headers, 0, 1, headers)]),
  "half a message": Buffer.concat([
    PREFACE,
    settings,
    http2Frame(FrameType.headers, END_HEADERS, 1, headers),
    http2Frame(FrameType.data, 0, 1, grpcMessage(Buffer.alloc(100)).subarray(0, 50)),
  ]),
};

/** Sends a call byte by byte, each when the one before is out and the others have had their turn. */
async function trickle(socket: Socket, until: AbortSignal): Promise<void> {
  const bytes = Buffer.concat([PREFACE, settings, http2Frame(FrameType.headers, END_HEADERS, 1, headers)]);
  for (let at = 0; at < bytes.length - 1 && !until.aborted; at++) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + 1), resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("clients that never get to the end of what they say", () => {
  const scope = scopeOfEachTest();

  test("take little and hold nobody up, and all they took is given back", async () => {
    const cast = await answering(await stage(scope));
    const { service } = cast;
    const { pid } = service.process;
    const witness = await Witness.start(cast);
    await witness.sees();
    const files = await openFiles(pid);
    const memory = await ownMemory(pid);

    const over = new AbortController();
    const beginnings = [...Object.values(BEGINNINGS), Buffer.alloc(0)];
    const sockets = await Promise.all(
      beginnings.flatMap((bytes) =>
        Array.from({ length: EACH }, async () => {
          const socket = await openBytes(scope, { path: service.socket });
          socket.write(bytes);
          return socket;
        }),
      ),
    );
    const trickles = sockets.slice(-EACH).map((socket) => trickle(socket, over.signal));
    await eventually("all are accepted", async () => (await openFiles(pid)) >= files + sockets.length);
    for (let n = 0; n < 5; n++) await witness.sees();
    expect((await ownMemory(pid)) - memory).toBeLessThan(32 * MEGABYTE);

    over.abort();
    await Promise.all(trickles);
    for (const socket of sockets) socket.destroy();
    await eventually("every file is closed", async () => (await openFiles(pid)) <= files);
    await witness.sees();
    await witness.settle();
  });

  test("are cut off on TLS when their time is over, before the handshake and in it", async () => {
    const { service, port } = await tlsService(scope);
    // Client hello of TLS 1.3, cut off after its head.
    const half = Buffer.from("160301020001000200", "hex");
    await Promise.all(
      [Buffer.alloc(0), half, PREFACE.subarray(0, 12)].flatMap((bytes) =>
        Array.from({ length: 5 }, async () => {
          const socket = await openBytes(scope, { host: "127.0.0.1", port });
          const closed = once(socket, "close");
          socket.write(bytes);
          return closed;
        }),
      ),
    );
    await service.client.serving();
  });
});

/** In the namespace of the test itself, which is where it can connect from. */
async function tlsService(scope: Scope): Promise<{ service: Service; port: number }> {
  const folder = await temporaryFolder(scope);
  const authority = await Authority.create(folder, "authority");
  const { cert, key } = await authority.issue("server", "IP:127.0.0.1");
  const tokens = join(folder, "tokens");
  await writeFile(tokens, `ci ${createHash("sha256").update(randomBytes(32)).digest("hex")}\n`);
  const listen = ["--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--token-file", tokens];
  const here = { wrap: (command: readonly string[]) => [...command] };
  const service = await Service.start(scope, here, { flags: [...listen, "--authentication-timeout", "1s"] });
  const line = await service.process.lineWhere((text) => text.includes("TLS; lets in by tokens"));
  return { service, port: Number(/:(\d+) \(/.exec(line)?.[1]) };
}
