import { Metadata, status } from "@grpc/grpc-js";
import {
  CreateSessionResponse,
  GetCapabilitiesResponse,
  GetSessionResponse,
  GetStatusResponse,
  ListSessionsResponse,
  NodeState,
  SessionSpec,
  SessionState,
  SessionView,
  StopSessionResponse,
} from "@latscope/proto";
import { BadRequest, ErrorInfo } from "@latscope/proto/google/rpc/error_details";
import { Status } from "@latscope/proto/google/rpc/status";
import { expect, test } from "vitest";
import { latscope } from "./testing/command.js";
import { TestServer } from "./testing/server.js";

const edge = { name: "sessions/edge", owner: "uid:0", state: SessionState.RUNNING };

test("sessions are listed over all pages; --json is one a line", async () => {
  using server = await TestServer.start({
    sessions: {
      listSessions: ({ request }, callback) => {
        const first = { sessions: [edge], nextPageToken: "more" };
        const second = { sessions: [{ ...edge, name: "sessions/b" }] };
        callback(null, ListSessionsResponse.fromPartial(request.pageToken === "more" ? second : first));
      },
    },
  });
  const at = ["--address", server.address];
  expect(await latscope(["sessions", ...at])).toEqual({
    code: 0,
    signal: null,
    stdout:
      "NAME  STATE    OWNER  MEASURED  DELIVERED  LOST  READERS  ns/RUN  KERNEL MEM\n" +
      "edge  running  uid:0         0          0     0        0       -         0 B\n" +
      "b     running  uid:0         0          0     0        0       -         0 B\n",
    stderr: "",
  });
  const { stdout } = await latscope(["sessions", "--json", ...at]);
  const names = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { name: string }).name);
  expect(names).toEqual(["sessions/edge", "sessions/b"]);
});

test("sessions get, create, stop and delete say what is asked", async () => {
  const requests: unknown[] = [];
  const session = { ...edge, spec: { probes: [{ kind: { $case: "tcp" as const, value: {} } }] } };
  using server = await TestServer.start({
    sessions: {
      getSession: ({ request }, callback) => {
        requests.push(request);
        callback(null, GetSessionResponse.fromPartial({ session }));
      },
      createSession: ({ request }, callback) => {
        requests.push(request.session?.spec, request.sessionId);
        callback(null, CreateSessionResponse.fromPartial({ session }));
      },
      stopSession: ({ request }, callback) => {
        requests.push(request);
        callback(null, StopSessionResponse.fromPartial({ session }));
      },
      deleteSession: ({ request }, callback) => {
        requests.push(request);
        callback(null, {});
      },
    },
  });
  const run = (...args: string[]) => latscope(["sessions", ...args, "--address", server.address]);
  expect(await run("get", "edge")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^name +sessions\/edge$/m) as string,
  });
  expect(await run("create", "--tcp", "--id", "edge", "--duration", "10m", "--json")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^{"name":"sessions\/edge",.*}\n$/) as string,
  });
  expect(await run("stop", "sessions/edge")).toMatchObject({ code: 0 });
  expect(await run("delete", "edge", "--force")).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
  expect(requests).toEqual([
    { name: "sessions/edge", view: SessionView.BASIC },
    SessionSpec.fromPartial({
      probes: [{ kind: { $case: "tcp", value: {} } }],
      limits: { duration: { seconds: 600n, nanos: 0 } },
    }),
    "edge",
    { name: "sessions/edge", etag: "" },
    { name: "sessions/edge", etag: "", force: true },
  ]);
});

test("capabilities and status; a node that failed is said, and the code is 1", async () => {
  const failures = [{ node: "nodes/b", state: NodeState.FAILED, reason: "no answer" }];
  using server = await TestServer.start({
    nodes: {
      getCapabilities: (_call, callback) => {
        callback(null, GetCapabilitiesResponse.fromPartial({ nodes: [{ node: "nodes/a" }], failures }));
      },
      getStatus: (_call, callback) => {
        callback(
          null,
          GetStatusResponse.fromPartial({ nodes: [{ node: "nodes/a", samples: 9_007_199_254_740_993n }] }),
        );
      },
    },
  });
  const at = ["--address", server.address];
  expect(await latscope(["capabilities", "--json", ...at])).toEqual({
    code: 1,
    signal: null,
    stdout: '{"node":"nodes/a","kernel_release":"","btf":false,"jit":false,"lockdown":"","capabilities":[]}\n',
    stderr: "latscope: nodes/b is failed: no answer\n",
  });
  expect(await latscope(["status", ...at])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("samples     9007199254740993\n") as string,
  });
  expect(await latscope(["status", "--json", ...at])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"samples":9007199254740993,') as string,
  });
});

test("a call that failed: status, message, the rest of the details", async () => {
  const violations = [
    { field: "session_id", description: "must match [a-z][a-z0-9-]{0,62}" },
    { field: "session.spec.interfaces[0]", description: "there is no interface eth9" },
  ];
  const details = [
    {
      typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
      value: Buffer.from(ErrorInfo.encode(ErrorInfo.fromPartial({ reason: "SESSION_ID_INVALID" })).finish()),
    },
    {
      typeUrl: "type.googleapis.com/google.rpc.BadRequest",
      value: Buffer.from(BadRequest.encode(BadRequest.fromPartial({ fieldViolations: violations })).finish()),
    },
  ];
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(Status.encode({ code: 3, message: "", details }).finish()));
  using server = await TestServer.start({
    sessions: {
      createSession: (_call, callback) => {
        callback({ code: status.INVALID_ARGUMENT, details: "session_id: must match [a-z][a-z0-9-]{0,62}", metadata });
      },
    },
  });
  expect(await latscope(["sessions", "create", "--tcp", "--id", "Edge", "--address", server.address])).toEqual({
    code: 1,
    signal: null,
    stdout: "",
    stderr:
      "latscope: INVALID_ARGUMENT: session_id: must match [a-z][a-z0-9-]{0,62}\n" +
      "  reason SESSION_ID_INVALID\n" +
      "  session.spec.interfaces[0]: there is no interface eth9\n",
  });
});

const hint = "latscope --help, or --help after a command, says more\n";

test.each([
  ["sessions", "unix:/nonexistent/latscope.sock", "there is no such socket"],
  ["stream --tcp", "127.0.0.1:1", "nobody listens there"],
])("%s without a service says where it looked and how to start one", async (command, address, why) => {
  expect(await latscope([...command.split(" "), "--address", address])).toEqual({
    code: 1,
    signal: null,
    stdout: "",
    stderr:
      `latscope: cannot reach the service at ${address} (--address): ${why}\n` +
      "start it as root with: latscope serve, or say where it is with --address or LATSCOPE_ADDRESS\n",
  });
});

test.each([
  ["stream", "say what to measure, for example --tcp"],
  [
    "stream --tcp --port 70000",
    "option '--port <port>' argument '70000' is invalid. It must be a whole number from 0 to 65535.",
  ],
  [
    "stream --tcp --cidr 10.0.0.0/99",
    "option '--cidr <cidr>' argument '10.0.0.0/99' is invalid. The prefix length must be 0 to 32.",
  ],
  ["stream --tcp --session edge", "--tcp and --session exclude each other: what a session measures is fixed"],
  [
    "stream --session edge --interface eth0",
    "--interface and --session exclude each other: what a session measures is fixed",
  ],
  ["stream --tcp --cursor x", "--cursor needs --session: it points into a session that is there"],
  ["stream --session x --cursor x --from oldest", "--cursor and --from exclude each other"],
  [
    "stream --tcp --from now",
    "option '--from <position>' argument 'now' is invalid. Allowed choices are oldest, latest.",
  ],
  ["stream --tcp --xyzzy", "unknown option '--xyzzy'"],
  ["stream --tcp extra", "too many arguments for 'stream'. Expected 0 arguments but got 1."],
  ["histogram", "say what to measure, for example --tcp"],
  [
    "histogram --session edge --server-port 443",
    "--server-port and --session exclude each other: what a session measures is fixed",
  ],
  ["histogram --tcp --min-latency 1ms", "unknown option '--min-latency'"],
  [
    "histogram --tcp --group-by port",
    "option '--group-by <key>' argument 'port' is invalid. It must be one of client-prefix, server-prefix, server-port, interface, comm, cgroup, subject, protocol, result, node.",
  ],
  ["snapshot edge --group-by comm --ungrouped", "option '--ungrouped' cannot be used with option '--group-by <key>'"],
  [
    "snapshot edge --quantiles 0.5,99",
    "option '--quantiles <q>' argument '0.5,99' is invalid. It must be from 0 to 1, such as 0.99.",
  ],
  [
    "snapshot edge --order-by min",
    "option '--order-by <what>' argument 'min' is invalid. Allowed choices are count, max, p99.",
  ],
  ["snapshot", "missing required argument 'session'"],
  ["sessions get", "missing required argument 'name'"],
  [
    "status --address nowhere",
    '--address: "nowhere" is neither unix:/path nor host:port nor https://host:port (an IPv6 host in brackets)',
  ],
  ["watch", "unknown command 'watch'"],
])("%s is wrong usage", async (command, complaint) => {
  expect(await latscope(command.split(" "))).toEqual({
    code: 2,
    signal: null,
    stdout: "",
    stderr: `latscope: ${complaint}\n${hint}`,
  });
});

test("help is no failure", async () => {
  const { code, stdout, stderr } = await latscope(["stream", "--help"]);
  expect(stdout).toContain("--min-latency <time>");
  expect([code, stderr]).toEqual([0, ""]);
});
