import { GetSessionRequest, SessionState, type GetSessionResponse } from "@latscope/proto";
import { expect, test } from "vitest";

import { expectBalanced } from "../harness/books.js";
import { bpfObjectsOf } from "../harness/bpf.js";
import { unary } from "../harness/client.js";
import { eventually } from "../harness/eventually.js";
import { stop } from "../harness/measure.js";
import { Namespace } from "../harness/netns.js";
import { Scope, scopeOfEachTest } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { answering, connectOnce, HANDSHAKES } from "./witness.js";

const scope = scopeOfEachTest();

test("a network namespace that goes is told to readers and watchers, and the rest of the session goes on", async () => {
  const cast = await answering(await stage(scope));
  const { service, network } = cast;
  const doomed = new Scope();
  const gone = await Namespace.create(doomed);
  // The other namespace has its interfaces by other names: any is meant.
  const { name } = await service.client.create({
    probes: HANDSHAKES["probes"],
    networkNamespaces: [network.client.path, gone.path],
  });
  const reader = service.client.stream({ session: name });
  await reader.started();
  const ports = [await connectOnce(cast)];
  await reader.take(1);
  const links = async (): Promise<number> => (await bpfObjectsOf(service.process.pid)).links.length;
  const before = await links();

  await doomed.close();
  const { event } = await reader.until("sessionChange");
  expect(event?.value).toMatchObject({ state: SessionState.DEGRADED });
  expect(JSON.stringify(event?.value)).toContain(`network namespace ${gone.path} is gone`);
  await eventually("its part is detached", async () => (await links()) < before);
  const { session } = await unary<GetSessionResponse>((answer) =>
    service.client.sessions.getSession(GetSessionRequest.fromPartial({ name }), answer),
  );
  expect(session).toMatchObject({ state: SessionState.DEGRADED });
  expect(session?.stateReason).toContain(gone.path);
  expectBalanced(session?.stats?.totals);

  ports.push(await connectOnce(cast));
  await reader.take(2);
  await stop(service.client, name);
  const { sessionTotals } = await reader.ended();
  expect(reader.samples.map(({ flow }) => flow?.clientPort)).toEqual(ports);
  expectBalanced(sessionTotals);
  expect(sessionTotals).toMatchObject({ delivered: 2n, inFlight: 0n, losses: [] });
});
