import { Capability, GroupSummary, LossStage, Metric, ProgramStats, Session, SessionState } from "@latscope/proto";
import { expect, test } from "vitest";
import { messageJson } from "./message.js";

test("a session: exact integers, enums by name, unset messages and optional fields left out", async () => {
  const session = Session.fromPartial({
    name: "sessions/edge",
    labels: { 'a"b': "\x1b[2J" },
    state: SessionState.RUNNING,
    createTime: { seconds: 1_700_000_000n, nanos: 5_000_000 },
    spec: { probes: [{ kind: { $case: "tcp", value: { metrics: [Metric.TCP_RTT] } } }], limits: { maxSamples: 0n } },
    stats: {
      totals: {
        measured: 18_446_744_073_709_551_615n,
        losses: [{ stage: LossStage.KERNEL_RING_FULL, count: 9_007_199_254_740_993n }],
      },
    },
  });
  const json = (await messageJson("latscope.v1.Session"))(Session.encode(session).finish());
  expect(json).toBe(
    '{"name":"sessions/edge","display_name":"","labels":{"a\\"b":"\\u001b[2J"},' +
      '"spec":{"probes":[{"tcp":{"metrics":["METRIC_TCP_RTT"]}}],"filters":[],"interfaces":[],"network_namespaces":[],"limits":{"max_samples":0},"exclude":[]},' +
      '"etag":"","owner":"","state":"SESSION_STATE_RUNNING","state_reason":"","create_time":"2023-11-14T22:13:20.005Z",' +
      '"stats":{"totals":{"measured":18446744073709551615,"delivered":0,"filtered":0,"aggregated_only":0,' +
      '"losses":[{"stage":"LOSS_STAGE_KERNEL_RING_FULL","count":9007199254740993}],"refusals":[],"in_flight":0},' +
      '"programs":[],"kernel_memory_bytes":0,"subscribers":0},"nodes":[],"stop_reason":"STOP_REASON_UNSPECIFIED","probe_statuses":[]}',
  );
});

test("bytes, durations, doubles, enums of a newer service", async () => {
  const program = ProgramStats.fromPartial({
    bytecode: Buffer.from([1, 2, 255]),
    loadTime: { seconds: 1n, nanos: 5_000_000 },
    runCount: 7n,
  });
  const programs = await messageJson("latscope.v1.ProgramStats");
  expect(JSON.parse(programs(ProgramStats.encode(program).finish()))).toMatchObject({
    bytecode: "AQL/",
    load_time: "1.005s",
    run_count: 7,
    shared: false,
  });
  const summary = GroupSummary.fromPartial({ minSeconds: 0.0125, meanSeconds: Infinity });
  const summaries = await messageJson("latscope.v1.GroupSummary");
  expect(JSON.parse(summaries(GroupSummary.encode(summary).finish()))).toMatchObject({
    min_seconds: 0.0125,
    mean_seconds: "Infinity",
  });
  const capabilities = await messageJson("latscope.v1.Capability");
  expect(capabilities(Capability.encode(Capability.decode(Uint8Array.of(0x08, 99))).finish())).toContain('"metric":99');
});

test("an unknown type", async () => {
  await expect(messageJson("latscope.v1.Nothing")).rejects.toThrow("there is no message latscope.v1.Nothing");
});
