/** A call that docs/api.md shows. */
export interface Call {
  readonly method: string;
  readonly about: string;
  readonly request: Readonly<Record<string, unknown>>;
  /** A stream that does not end by itself is shown up to this message. */
  readonly messages?: number;
  /** It is there to show how a call is refused. */
  readonly refused?: true;
}

const SERVICES = "latscope.v1";
const session = "sessions/edge";
const spec = { probes: [{ tcp: { metrics: ["METRIC_TCP_HANDSHAKE_REMOTE"] } }], interfaces: ["client0"] };

/** Every method of the contract, in an order in which they make sense: what is created is there for the calls after it. */
export const calls: readonly Call[] = [
  {
    method: `${SERVICES}.NodeService/GetCapabilities`,
    about: "What can be measured on this host, by which hook, and what is missing for the rest.",
    request: {},
  },
  {
    method: `${SERVICES}.SessionService/CreateSession`,
    about:
      "Checks a session without making it: its programs are loaded and verified, nothing is attached. The answer has the spec with " +
      "defaults filled in and limits clamped, and what the verifier made of each program.",
    request: { session: { spec }, validate_only: true },
  },
  {
    method: `${SERVICES}.SessionService/CreateSession`,
    about: "Makes a session; it is attached when the answer comes.",
    request: {
      session: { display_name: "Edge", labels: { team: "net" }, spec },
      session_id: "edge",
      request_id: "3a5f1f5e-8f0b-4b0e-9e53-0d2c7a7b1c11",
    },
  },
  {
    method: `${SERVICES}.SessionService/CreateSession`,
    about: "A refusal names every wrong field, in the message and in `google.rpc.BadRequest` (docs/errors.md).",
    request: { session: { spec: { ...spec, filters: [{ cidrs: ["10.0.0.0/8", "10.0.0.0/99"] }] } } },
    refused: true,
  },
  {
    method: `${SERVICES}.SampleService/StreamSamples`,
    about:
      "Reads a session from its beginning; without `no_follow` the stream goes on with what happens. With a `spec` in place of " +
      "`session`, the session lives as long as the stream.",
    request: { session, position: "POSITION_OLDEST", no_follow: true },
  },
  {
    method: `${SERVICES}.SampleService/StreamHistograms`,
    about:
      "Histograms of a session, interval by interval, here all since its beginning. With a `spec` in place of `session`, the session " +
      "lives as long as the stream.",
    request: { session, cumulative: true },
    messages: 2,
  },
  {
    method: `${SERVICES}.SampleService/GetSnapshot`,
    about: "Quantiles and top groups in one answer, for scripts.",
    request: { session, quantiles: [0.5, 0.99] },
  },
  {
    method: `${SERVICES}.SessionService/GetSession`,
    about:
      "A session with its statistics of this moment. `SESSION_VIEW_FULL` adds each program's instructions as the kernel runs them.",
    request: { name: session, view: "SESSION_VIEW_FULL" },
  },
  {
    method: `${SERVICES}.SessionService/ListSessions`,
    about: "Sessions by name, page by page; `states` and `labels` narrow the list.",
    request: { labels: { team: "net" }, states: ["SESSION_STATE_RUNNING"], page_size: 10 },
  },
  {
    method: `${SERVICES}.SessionService/UpdateSession`,
    about:
      "Turns live knobs. With `etag` the update is refused (`ABORTED`) when somebody else has changed the session.",
    request: {
      session: {
        name: session,
        labels: { team: "net", site: "a" },
        spec: { filters: [{ server_ports: [{ first: 443 }] }] },
      },
      update_mask: { paths: ["labels", "spec.filters"] },
    },
  },
  {
    method: `${SERVICES}.SessionService/WatchSessions`,
    about: "All sessions, a bookmark, then changes as they happen; the bookmark's token resumes.",
    request: {},
    messages: 2,
  },
  {
    method: `${SERVICES}.SessionService/StopSession`,
    about: "Detaches. What was collected stays readable until `retain` runs out.",
    request: { name: session },
  },
  {
    method: `${SERVICES}.SessionService/DeleteSession`,
    about: "Frees what it collected; a running one only with `force`.",
    request: { name: session },
  },
  {
    method: `${SERVICES}.NodeService/GetStatus`,
    about:
      "What the service costs its host: memory, processor time, the run time of its eBPF programs (counted by the kernel while a " +
      "session is attached) and the memory of its maps and programs.",
    request: {},
  },
  {
    method: `${SERVICES}.NodeService/ListNodes`,
    about: "The hosts that this service answers for: one.",
    request: {},
  },
  {
    method: `${SERVICES}.NodeService/WatchNodes`,
    about: "The same as a watch.",
    request: {},
    messages: 2,
  },
];
