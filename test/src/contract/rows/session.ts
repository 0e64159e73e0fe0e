import { NO_ENUM, wrong, type Rows } from "./row.js";

const OUTPUT = "given by the server; what a client sets is passed over";

/** A name that a session must already have. */
const names = [
  wrong("", "FIELD_REQUIRED"),
  wrong("edge", "FIELD_INVALID"),
  wrong("sessions/", "FIELD_INVALID"),
  wrong("sessions/Edge", "FIELD_INVALID"),
  wrong("nodes/a", "FIELD_INVALID"),
];

const labels = [
  wrong({ "": "x" }, "FIELD_INVALID"),
  wrong({ ["k".repeat(64)]: "x" }, "FIELD_INVALID"),
  wrong({ k: "v".repeat(256) }, "FIELD_INVALID", '["k"]'),
  wrong(Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, ""])), "FIELD_INVALID"),
];

/** Sessions, and the requests of SessionService. */
export const sessionRows: Rows = {
  "Session.display_name": [wrong("n".repeat(256), "FIELD_INVALID")],
  "Session.labels": labels,
  "Session.name": OUTPUT,
  "Session.etag": OUTPUT,
  "Session.owner": OUTPUT,
  "Session.state": OUTPUT,
  "Session.state_reason": OUTPUT,
  "Session.create_time": OUTPUT,
  "Session.start_time": OUTPUT,
  "Session.end_time": OUTPUT,
  "Session.stop_reason": OUTPUT,
  "Session.effective_spec": OUTPUT,
  "Session.stats": OUTPUT,
  "Session.nodes": OUTPUT,
  "Session.probe_statuses": OUTPUT,
  "CreateSessionRequest.session_id": [
    ...["Edge", "9lives", "a b", "-a", "a_b", "../etc", "ä", "a".repeat(64)].map((id) => wrong(id, "FIELD_INVALID")),
  ],
  "CreateSessionRequest.request_id": [
    wrong("7", "FIELD_INVALID"),
    wrong("3a5f1f5e-8f0b-4b0e-9e53-0d2c7a7b1c1g", "FIELD_INVALID"),
  ],
  "CreateSessionRequest.validate_only": "both values mean something",
  "GetSessionRequest.name": names,
  "GetSessionRequest.view": [wrong(NO_ENUM, "FIELD_INVALID"), wrong(-1, "FIELD_INVALID")],
  "ListSessionsRequest.page_size": [wrong(-1, "FIELD_INVALID"), wrong(-2_147_483_648, "FIELD_INVALID")],
  "ListSessionsRequest.page_token": [wrong("banana", "PAGE_TOKEN_INVALID")],
  "ListSessionsRequest.states": [wrong(["SESSION_STATE_RUNNING", NO_ENUM], "FIELD_INVALID", "[1]")],
  "ListSessionsRequest.labels": "what no session has selects none",
  "UpdateSessionRequest.session.name": names,
  "UpdateSessionRequest.session.etag": [{ value: "old", reason: "ETAG_MISMATCH", code: "ABORTED" }],
  "UpdateSessionRequest.update_mask": [
    wrong("", "UPDATE_MASK_INVALID"),
    wrong("name", "UPDATE_MASK_INVALID"),
    wrong("spec", "UPDATE_MASK_INVALID"),
    wrong("displayName,spec.nothing", "UPDATE_MASK_INVALID"),
  ],
  "StopSessionRequest.name": names,
  "StopSessionRequest.etag": [{ value: "old", reason: "ETAG_MISMATCH", code: "ABORTED" }],
  "DeleteSessionRequest.name": names,
  "DeleteSessionRequest.etag": [{ value: "old", reason: "ETAG_MISMATCH", code: "ABORTED" }],
  "DeleteSessionRequest.force": "both values mean something",
  "WatchSessionsRequest.labels": "what no session has selects none",
  "WatchSessionsRequest.resume_token": [wrong("banana", "RESUME_TOKEN_INVALID")],
};
