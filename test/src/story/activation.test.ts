import { credentials } from "@grpc/grpc-js";
import { SessionServiceClient, type ListSessionsResponse } from "@latscope/proto";
import { stat } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { Client, unary } from "../harness/client.js";
import { LineProcess } from "../harness/lines.js";
import { Namespace } from "../harness/netns.js";
import { scopeOfEachTest } from "../harness/scope.js";
import { LATSCOPE, temporaryFolder } from "../harness/service.js";

const scope = scopeOfEachTest();

/** Does what systemd does for a socket unit: listens on a unix socket and a TCP port, and passes both on. */
const activate = `
import os, socket, sys
local = socket.socket(socket.AF_UNIX); local.bind(sys.argv[1]); local.listen()
tcp = socket.socket(); tcp.bind(("127.0.0.1", 4317)); tcp.listen()
for fd, listener in enumerate((local, tcp), 3):
    os.dup2(listener.fileno(), fd)
    os.set_inheritable(fd, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(sys.argv[2], sys.argv[2:])
`;

test("the service listens on what it is passed, and leaves the socket's file to whoever made it", async () => {
  const namespace = await Namespace.create(scope);
  const socket = join(await temporaryFolder(scope), "a.sock");
  const serve = [...LATSCOPE, "serve", "--socket", socket, "--listen", "127.0.0.1:4317", "--insecure"];
  const service = new LineProcess(scope, namespace.wrap(["python3", "-c", activate, socket, ...serve]));
  await service.lineWhere((line) => line.includes(`listening on unix:${socket} (passed by systemd)`));
  await service.lineWhere((line) => line.includes("listening on 127.0.0.1:4317 (plaintext, --insecure)"));
  await new Client(scope, `unix:${socket}`).serving();
  const sessions = new SessionServiceClient(`unix:${socket}`, credentials.createInsecure());
  const { sessions: none } = await unary<ListSessionsResponse>((done) =>
    sessions.listSessions({ pageSize: 0, pageToken: "", states: [], labels: {} }, done),
  );
  sessions.close();
  expect(none).toEqual([]);
  service.kill("SIGTERM");
  expect(await service.exit).toEqual({ code: 0, signal: null });
  expect((await stat(socket)).isSocket()).toBe(true);
});

test("the service says so when it is passed what it has no use for", async () => {
  const namespace = await Namespace.create(scope);
  const socket = join(await temporaryFolder(scope), "a.sock");
  const service = new LineProcess(scope, namespace.wrap(["python3", "-c", activate, socket, ...LATSCOPE, "serve"]));
  expect(await service.exit).toEqual({ code: 1, signal: null });
  expect(service.stderr).toContain("systemd passed 127.0.0.1:4317, and the configuration has no such listener");
});
