import { badDurations, NO_ENUM, wrong, type Rows } from "./row.js";

const BOTH = "both values mean something";

const badTimes = [wrong("1969-12-31T23:59:59Z", "DURATION_INVALID"), wrong("2263-01-01T00:00:00Z", "DURATION_INVALID")];

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
  "Resume.cursors": [wrong(["banana"], "CURSOR_INVALID")],
};
