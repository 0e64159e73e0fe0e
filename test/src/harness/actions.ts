import fc from "fast-check";

/** Sessions, and readers of each, at most. */
export const SESSIONS = 2;
export const READERS = 4;

/** What is done to the sessions and the readers of a service. */
export type Action =
  | { readonly do: "create" | "update"; readonly session: number; readonly spec: Knobs }
  | { readonly do: "stop" | "delete"; readonly session: number }
  | { readonly do: "traffic"; readonly samples: number }
  | { readonly do: "read" | "histograms"; readonly session: number; readonly request: Record<string, unknown> }
  | { readonly do: "snapshot"; readonly session: number; readonly windowSeconds: number }
  | { readonly do: Doing; readonly session: number; readonly reader: number };

/** What a reader does. */
type Doing = "pause" | "resume" | "reconnect" | "cancel";

/** What of a session is chosen. */
export interface Knobs {
  readonly historyBytes: number;
  readonly maxSamplesPerSecond: number;
  readonly sampleMinLatency: { nanos: number };
  readonly groupBy: readonly string[];
}

const session = fc.nat(SESSIONS - 1);
const reader = fc.nat(READERS - 1);
const knobs = fc.record<Knobs>({
  historyBytes: fc.constantFrom(0, 65_536, 8_388_608),
  maxSamplesPerSecond: fc.constantFrom(0, 0, 2000),
  sampleMinLatency: fc.constantFrom({ nanos: 0 }, { nanos: 0 }, { nanos: 60_000 }),
  groupBy: fc.constantFrom([], ["GROUP_BY_SERVER_PREFIX"]),
});
const policies = ["DROP_OLDEST", "DROP_NEWEST", "SAMPLE", "DISCONNECT"];
const reading = fc.record({
  position: fc.constantFrom("POSITION_OLDEST", "POSITION_LATEST"),
  encoding: fc.constantFrom("ENCODING_ROWS", "ENCODING_COLUMNS"),
  overflow: fc.constantFrom(...policies.map((policy) => `OVERFLOW_POLICY_${policy}`)),
  maxBatchBytes: fc.constantFrom(0, 1000, 1 << 20),
  maxBatchDelay: fc.constantFrom({ nanos: 0 }, { nanos: 50_000_000 }),
  // Every other latency and client port of what both worlds send.
  filters: fc.constantFrom(
    [],
    [{ minLatency: { nanos: 1_000_000 } }],
    [{ clientPorts: [{ first: 20_000, last: 32_770 }] }],
  ),
});
const counting = fc.record({
  interval: fc.constantFrom({ nanos: 100_000_000 }, { nanos: 300_000_000 }),
  cumulative: fc.boolean(),
  ungrouped: fc.boolean(),
  maxGroups: fc.constantFrom(0, 1),
});
const doing: Doing[] = ["pause", "pause", "resume", "reconnect", "reconnect", "cancel"];

/** @param mostSamples how many come at once, at most */
export function anyAction(mostSamples: number): fc.Arbitrary<Action> {
  const one = <Name extends Action["do"]>(...names: Name[]): fc.Arbitrary<Name> => fc.constantFrom(...names);
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: one("create", "update"), session, spec: knobs }) },
    { weight: 1, arbitrary: fc.record({ do: one("stop", "delete"), session }) },
    { weight: 6, arbitrary: fc.record({ do: one("traffic"), samples: fc.integer({ min: 1, max: mostSamples }) }) },
    { weight: 5, arbitrary: fc.record({ do: one("read"), session, request: reading }) },
    { weight: 3, arbitrary: fc.record({ do: one("histograms"), session, request: counting }) },
    { weight: 2, arbitrary: fc.record({ do: one("snapshot"), session, windowSeconds: fc.constantFrom(0, 0, 2) }) },
    { weight: 7, arbitrary: fc.record({ do: one(...doing), session, reader }) },
  );
}
