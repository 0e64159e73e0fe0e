import { status } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  GetSessionRequest,
  ListSessionsRequest,
  StopSessionRequest,
  StreamSamplesRequest,
  UpdateSessionRequest,
} from "@latscope/proto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { bpfObjectsOf } from "../harness/bpf.js";
import { unary, type Client, type SpecJson } from "../harness/client.js";
import { failureOf, seen, type SeenFailure } from "../harness/failure.js";
import { Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { CLIENT, direct } from "../harness/topology.js";

const TCP = [{ tcp: {} }];
const HERE = [CLIENT.interface];

interface Row {
  readonly what: string;
  readonly spec: SpecJson;
  readonly code: string;
  readonly reason: string;
  /** Every wrong field, in order. */
  readonly fields: readonly string[];
}

function filtered(filter: Record<string, unknown>, more: Record<string, unknown> = {}): SpecJson {
  return { probes: TCP, interfaces: HERE, filters: [filter], ...more };
}

function wrong(what: string, spec: SpecJson, reason: string, ...fields: string[]): Row {
  return { what, spec, code: "INVALID_ARGUMENT", reason, fields };
}

const SPECS: readonly Row[] = [
  wrong("an empty spec", {}, "FIELD_REQUIRED", "probes"),
  wrong("a probe of no kind", { probes: [{}] }, "FIELD_REQUIRED", "probes[0]"),
  wrong(
    "an unknown interface",
    { probes: TCP, interfaces: [CLIENT.interface, "nowhere0"] },
    "INTERFACE_UNKNOWN",
    "interfaces[1]",
  ),
  wrong("a name no interface can have", { probes: TCP, interfaces: ["a/b"] }, "FIELD_INVALID", "interfaces[0]"),
  wrong(
    "a prefix that is too long",
    filtered({ cidrs: ["10.0.0.0/8", "10.0.0.0/99"] }),
    "CIDR_INVALID",
    "filters[0].cidrs[1]",
  ),
  wrong("a name for a CIDR", filtered({ clientCidrs: ["example.org"] }), "CIDR_INVALID", "filters[0].client_cidrs[0]"),
  wrong("a long IPv6 prefix", filtered({ serverCidrs: ["fd00::/129"] }), "CIDR_INVALID", "filters[0].server_cidrs[0]"),
  wrong(
    "port 70000",
    filtered({ serverPorts: [{ first: 70_000 }] }),
    "PORT_INVALID",
    "filters[0].server_ports[0].first",
  ),
  wrong(
    "last port 70000",
    filtered({ ports: [{ first: 1, last: 70_000 }] }),
    "PORT_INVALID",
    "filters[0].ports[0].last",
  ),
  wrong(
    "ports backwards",
    filtered({ clientPorts: [{ first: 9, last: 8 }] }),
    "PORT_INVALID",
    "filters[0].client_ports[0].last",
  ),
  wrong("a port range without ports", filtered({ ports: [{}] }), "PORT_INVALID", "filters[0].ports[0].first"),
  wrong("a VLAN that cannot be", filtered({ vlanIds: [4_096] }), "FIELD_INVALID", "filters[0].vlan_ids[0]"),
  wrong(
    "a metric of another probe",
    { probes: [{ tcp: { metrics: ["METRIC_SYSCALL"] } }], interfaces: HERE },
    "METRIC_INVALID",
    "probes[0].tcp.metrics[0]",
  ),
  wrong("a filter that no packet has", filtered({ pids: [1] }), "FILTER_UNMATCHABLE", "probes[0]"),
  wrong(
    "a filter of another protocol",
    filtered({ protocols: ["IP_PROTOCOL_UDP"] }),
    "FILTER_UNMATCHABLE",
    "probes[0]",
  ),
  wrong(
    "a malformed CIDR that is excluded",
    { probes: TCP, interfaces: HERE, exclude: [{ cidrs: ["10"] }] },
    "CIDR_INVALID",
    "exclude[0].cidrs[0]",
  ),
  wrong(
    "a limit of no samples",
    { probes: TCP, interfaces: HERE, limits: { maxSamples: "0" } },
    "FIELD_INVALID",
    "limits.max_samples",
  ),
  wrong(
    "a time that runs backwards",
    { probes: TCP, interfaces: HERE, limits: { duration: { seconds: "-1" } } },
    "DURATION_INVALID",
    "limits.duration",
  ),
  wrong(
    "several at once",
    filtered({ cidrs: ["x"], ports: [{ first: 70_000 }] }, { collection: { ipv4PrefixLength: 33 } }),
    "CIDR_INVALID",
    "filters[0].cidrs[0]",
    "filters[0].ports[0].first",
    "collection.ipv4_prefix_length",
  ),
  wrong(
    "a tracepoint that this kernel does not have",
    { probes: [{ tracepointPair: { start: "sched:nothing", end: "sched:sched_switch" } }] },
    "FIELD_INVALID",
    "probes[0].tracepoint_pair.start",
  ),
  wrong(
    "a field that a tracepoint does not have",
    {
      probes: [
        {
          tracepointPair: {
            start: "sched:sched_process_fork",
            end: "sched:sched_process_exit",
            keyFields: [{ start: "child_pid", end: "nothing" }],
          },
        },
      ],
    },
    "FIELD_INVALID",
    "probes[0].tracepoint_pair.key_fields[0].end",
  ),
  wrong(
    "a function that this kernel does not have",
    { probes: [{ kernelFunction: { symbol: "latscope_nothing" } }] },
    "FIELD_INVALID",
    "probes[0].kernel_function.symbol",
  ),
];

describe("bad input", () => {
  const scope = new Scope();
  let service: Service;
  let client: Client;
  let idle: Awaited<ReturnType<typeof bpfObjectsOf>>;

  beforeAll(async () => {
    const network = await direct(scope);
    service = await Service.start(scope, network.client);
    client = service.client;
    idle = await bpfObjectsOf(service.process.pid);
  });

  afterEach(async () => {
    expect((await bpfObjectsOf(service.process.pid)).links).toEqual([]);
    const request = ListSessionsRequest.fromPartial({});
    expect(await unary((answer) => client.sessions.listSessions(request, answer))).toMatchObject({ sessions: [] });
  });

  afterAll(async () => {
    expect(await bpfObjectsOf(service.process.pid)).toEqual(idle);
    await scope.close();
  });

  describe.each(SPECS)("$what", ({ spec, code, reason, fields }) => {
    function holds(failure: SeenFailure, prefix: string): void {
      const paths = fields.map((field) => `${prefix}${field}`);
      expect(failure).toMatchObject({ code, reason, domain: "latscope", fields: paths });
      expect(failure.message.startsWith(`${paths[0] ?? ""}: `)).toBe(true);
    }

    test("is refused by StreamSamples", async () => {
      holds(seen(await client.stream({ spec }).failure()), "spec.");
    });

    test("is refused by CreateSession", async () => {
      holds(await failureOf(client.create(spec)), "session.spec.");
    });

    test("is refused by CreateSession that only validates", async () => {
      const request = CreateSessionRequest.fromJSON({ session: { spec }, validateOnly: true });
      holds(await failureOf(unary((answer) => client.sessions.createSession(request, answer))), "session.spec.");
    });
  });

  test.each([
    ["no source", {}, "INVALID_ARGUMENT", "FIELD_REQUIRED", ["source"]],
    ["a session that is not there", { session: "sessions/nobody" }, "NOT_FOUND", "SESSION_NOT_FOUND", []],
    ["a name that is none", { session: "nobody" }, "INVALID_ARGUMENT", "FIELD_INVALID", ["session"]],
    ["an empty name", { session: "" }, "INVALID_ARGUMENT", "FIELD_REQUIRED", ["session"]],
    [
      "a reader's malformed filter",
      { spec: { probes: TCP, interfaces: HERE }, filters: [{ cidrs: ["banana"] }] },
      "INVALID_ARGUMENT",
      "CIDR_INVALID",
      ["filters[0].cidrs[0]"],
    ],
    [
      "a cursor that is none",
      { spec: { probes: TCP, interfaces: HERE }, cursor: "banana" },
      "INVALID_ARGUMENT",
      "CURSOR_INVALID",
      ["cursor"],
    ],
  ])("StreamSamples with %s", async (_, request, code, reason, fields) => {
    expect(seen(await client.stream(request).failure())).toMatchObject({ code, reason, fields });
  });

  test.each(["Edge", "9lives", "a b", "-a", "a".repeat(64), "../etc", "ä"])("session id %j", async (id) => {
    expect(await failureOf(client.create({ probes: TCP, interfaces: HERE }, id))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "FIELD_INVALID",
      fields: ["session_id"],
    });
  });

  test.each([
    ["GetSession", (): Promise<unknown> => get("sessions/nobody")],
    [
      "StopSession",
      (): Promise<unknown> =>
        unary((answer) =>
          client.sessions.stopSession(StopSessionRequest.fromPartial({ name: "sessions/nobody" }), answer),
        ),
    ],
    [
      "UpdateSession",
      (): Promise<unknown> => {
        const request = UpdateSessionRequest.fromPartial({ session: { name: "sessions/nobody" } });
        return unary((answer) => client.sessions.updateSession(request, answer));
      },
    ],
  ])("%s of an unknown session", async (_, call) => {
    expect(await failureOf(call())).toMatchObject({ code: "NOT_FOUND", reason: "SESSION_NOT_FOUND" });
  });

  test("a negative page size", async () => {
    const request = ListSessionsRequest.fromPartial({ pageSize: -1 });
    expect(await failureOf(unary((answer) => client.sessions.listSessions(request, answer)))).toMatchObject({
      code: "INVALID_ARGUMENT",
      fields: ["page_size"],
    });
  });

  test("a page token of nobody's", async () => {
    const request = ListSessionsRequest.fromPartial({ pageToken: "banana" });
    expect(await failureOf(unary((answer) => client.sessions.listSessions(request, answer)))).toMatchObject({
      code: "INVALID_ARGUMENT",
      fields: ["page_token"],
    });
  });

  test("bytes that are no message", async () => {
    const garbage = Buffer.from("0a7fffffffff", "hex");
    const call = client.samples.makeServerStreamRequest(
      "/latscope.v1.SampleService/StreamSamples",
      () => garbage,
      (bytes) => bytes,
      StreamSamplesRequest.fromPartial({}),
    );
    const code = await new Promise((resolve) => {
      call.on("error", (error) => {
        resolve("code" in error ? error.code : undefined);
      });
      call.resume();
    });
    expect(code).toBe(status.INVALID_ARGUMENT);
  });

  function get(name: string): Promise<unknown> {
    return unary((answer) => client.sessions.getSession(GetSessionRequest.fromPartial({ name }), answer));
  }
});
