import { EndReason } from "@latscope/proto";
import { join } from "node:path";

import { expect, test } from "vitest";

import { expectBalanced } from "../harness/books.js";
import { Client } from "../harness/client.js";
import { Endpoint } from "../harness/endpoint.js";
import { seen } from "../harness/failure.js";
import { GrpcurlStream } from "../harness/grpcurl.js";
import { stop } from "../harness/measure.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { Service, temporaryFolder } from "../harness/service.js";
import { direct } from "../harness/topology.js";
import { answering, connectOnce, HANDSHAKES } from "./witness.js";

const ID = "upgraded";

const scope = scopeOfEachTest();

test("the next service takes the socket while the one before still drains, and readers go on at it by name: the session is back", async () => {
  const network = await direct(scope);
  const flags = ["--state-dir", join(await temporaryFolder(scope), "state")];
  const [old, client, server] = await Promise.all([
    Service.start(scope, network.client, { flags }),
    Endpoint.start(scope, network.client),
    Endpoint.start(scope, network.server),
  ]);
  const cast = await answering({ client, server });
  const { name } = await old.client.create(HANDSHAKES, ID);
  const before = old.client.stream({ session: name });
  await before.started();
  const first = await connectOnce(cast);
  await before.take(1);
  // A reader that does not let go keeps the old service for the whole of its drain timeout.
  const method = "latscope.v1.SampleService/StreamSamples";
  const stuck = new GrpcurlStream(scope, old.socket, method, { session: name });
  expect(await stuck.next()).toHaveProperty("start");
  stuck.process.kill("SIGSTOP");

  old.process.kill("SIGTERM");
  const end = await before.ended();
  expect(end.reason).toBe(EndReason.DRAINING);
  expectBalanced(end.sessionTotals);
  expect(before.samples.map(({ flow }) => flow?.clientPort)).toEqual([first]);

  const next = await Service.start(scope, network.client, { socket: old.socket, flags });
  // What was measured before is gone with the old one, and it is said: nobody is let go on as if nothing were missing.
  const cursor = before.messages.at(-1)?.cursor;
  const refused = await next.client.stream({ session: name, cursor }).failure();
  expect(seen(refused)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "CURSOR_INVALID" });
  expect(seen(refused).message).toContain("since the service started");
  const after = next.client.stream({ session: name, position: "POSITION_OLDEST" });
  await after.started();
  const second = await connectOnce(cast);
  await after.take(1);
  expect(after.samples.map(({ flow }) => flow?.clientPort)).toEqual([second]);

  expect(await old.process.exit).toEqual({ code: 0, signal: null });
  // What the old one took away at its end was its own.
  await new Client(scope, `unix:${next.socket}`).serving();
  await stop(next.client, name);
  const { sessionTotals } = await after.ended();
  expectBalanced(sessionTotals);
  expect(sessionTotals).toMatchObject({ delivered: 1n, inFlight: 0n, losses: [] });
});
