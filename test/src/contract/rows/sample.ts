import { badDurations, badOrNoDurations, element, NO_ENUM, tooMany, wrong, type Rows } from "./row.js";

const BOTH = "both values mean something";

const badTimes = [wrong("1969-12-31T23:59:59Z", "DURATION_INVALID"), wrong("2263-01-01T00:00:00Z", "DURATION_INVALID")];

const badGroups = [
  wrong([NO_ENUM], "FIELD_INVALID", "[0]"),
  wrong(["GROUP_BY_UNSPECIFIED"], "FIELD_INVALID", "[0]"),
  // Finer than the session, which does not group.
  wrong(["GROUP_BY_SERVER_PORT"], "FIELD_INVALID", "[0]"),
];

const SELECTS = "what is not there is told in failures, or selects nothing";

const names = [wrong("", "FIELD_REQUIRED"), wrong("edge", "FIELD_INVALID"), wrong("sessions/Edge", "FIELD_INVALID")];

/** The requests of SampleService. */
export const sampleRows: Rows = {
  "StreamSamplesRequest.session": names,
  "StreamSamplesRequest.cursor": [wrong("banana", "CURSOR_INVALID")],
  "StreamSamplesRequest.since": badTimes,
  "StreamSamplesRequest.position": [wrong(NO_ENUM, "FIELD_INVALID")],
  "StreamSamplesRequest.max_samples": "0 = no limit, and every other number is one",
  "StreamSamplesRequest.no_follow": BOTH,
  "StreamSamplesRequest.overflow": [wrong(NO_ENUM, "FIELD_INVALID")],
  "StreamSamplesRequest.encoding": [wrong(NO_ENUM, "FIELD_INVALID")],
  "StreamSamplesRequest.max_batch_bytes": [wrong(1_048_577, "FIELD_INVALID")],
  "StreamSamplesRequest.max_batch_delay": badDurations,
  "StreamSamplesRequest.linger": badDurations,
  "StreamSamplesRequest.until": badTimes,
  "StreamHistogramsRequest.session": names,
  "StreamHistogramsRequest.interval": [
    ...badOrNoDurations,
    wrong("0.099999999s", "DURATION_INVALID"),
    wrong("86400.000000001s", "DURATION_INVALID"),
  ],
  "StreamHistogramsRequest.cumulative": BOTH,
  "StreamHistogramsRequest.max_groups": [wrong(65_537, "FIELD_INVALID")],
  "StreamHistogramsRequest.group_by": badGroups,
  "StreamHistogramsRequest.ungrouped": BOTH,
  "GetSnapshotRequest.session": names,
  "GetSnapshotRequest.quantiles": [element(0.5, 1.5, "FIELD_INVALID"), tooMany(0.5, 101)],
  "GetSnapshotRequest.top": [wrong(65_537, "FIELD_INVALID")],
  "GetSnapshotRequest.window": badOrNoDurations,
  "GetSnapshotRequest.order_by": [wrong("p50", "FIELD_INVALID")],
  "GetSnapshotRequest.include_histograms": BOTH,
  "GetSnapshotRequest.nodes.nodes": SELECTS,
  "GetSnapshotRequest.nodes.labels": SELECTS,
  "GetSnapshotRequest.group_by": badGroups,
  "GetSnapshotRequest.ungrouped": BOTH,
  "Resume.cursors": [wrong(["banana"], "CURSOR_INVALID")],
};
