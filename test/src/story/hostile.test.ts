import { makeClientConstructor, credentials, type ClientReadableStream } from "@grpc/grpc-js";
import { SampleServiceService, StreamSamplesRequest, StreamSamplesResponse } from "@latscope/proto";
import { once } from "node:events";
import { describe, expect, test } from "vitest";

import { output } from "../harness/command.js";
import { Namespace } from "../harness/netns.js";
import { inRepository } from "../harness/paths.js";
import { scopeOfEachTest, type Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { sampleCount } from "../harness/stream.js";

const SAMPLES = 3000;
const MESSAGE_MAX = 1 << 20;
/** U+0000 to U+001F and U+007F to U+009F: what a terminal obeys. */
const CONTROL = /\p{Cc}/u;

const decoders = {
  go: [inRepository("test/decode/dist/decode")],
  python: [inRepository("clients/python/dist/venv/bin/python"), inRepository("test/decode/decode.py")],
} as const;

interface RawClient {
  stream(request: StreamSamplesRequest): ClientReadableStream<Buffer>;
  close(): void;
}

/** Messages as they come, undecoded. */
async function read(scope: Scope, service: Service, request: Record<string, unknown>): Promise<Buffer[]> {
  const method = { ...SampleServiceService.streamSamples, responseDeserialize: (bytes: Buffer) => bytes };
  const Raw = makeClientConstructor({ stream: method }, "latscope.v1.SampleService");
  const client = new Raw(`unix:${service.socket}`, credentials.createInsecure()) as unknown as RawClient;
  scope.defer(() => {
    client.close();
    return Promise.resolve();
  });
  const messages: Buffer[] = [];
  const call = client.stream(StreamSamplesRequest.fromJSON(request));
  call.on("data", (message: Buffer) => messages.push(message));
  await once(call, "end");
  return messages;
}

function framed(messages: readonly Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      return [length, message];
    }),
  );
}

/** Every string in a message, however deep. */
function strings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  return Object.values(value).flatMap(strings);
}

describe("strings that are no text", () => {
  const scope = scopeOfEachTest();

  test.each([1, 2, 3])("of seed %i arrive escaped, and Go and Python decode every message", async (seed) => {
    const namespace = await Namespace.create(scope);
    const service = await Service.start(scope, namespace, {
      synthetic: `prefill=${String(SAMPLES)},hostile=${String(seed)}`,
    });
    const { name: session } = await service.client.create({
      probes: [{ tcp: {} }],
      limits: { historyBytes: 64 << 20 },
    });
    for (const encoding of ["ENCODING_ROWS", "ENCODING_COLUMNS"]) {
      for (const maxBatchBytes of [0, MESSAGE_MAX]) {
        const messages = await read(scope, service, { session, encoding, maxBatchBytes, noFollow: true });
        expect(Math.max(...messages.map(({ length }) => length))).toBeLessThanOrEqual(MESSAGE_MAX);
        const decoded = messages.map((message) => StreamSamplesResponse.decode(message));
        const texts = decoded.flatMap(({ event }) => strings(event));
        expect(texts.filter((text) => CONTROL.test(text))).toEqual([]);
        expect(texts.some((text) => text.includes("\\x1b[2J"))).toBe(true);
        const samples = decoded.reduce((sum, message) => sum + sampleCount(message), 0);
        expect(samples).toBe(SAMPLES);
        for (const command of Object.values(decoders)) {
          const found = JSON.parse(await output(command, { input: framed(messages) })) as unknown;
          expect(found).toEqual({ messages: messages.length, samples });
        }
      }
    }
  });
});
