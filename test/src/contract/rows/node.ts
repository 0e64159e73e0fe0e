import { wrong, type Rows } from "./row.js";

const SELECTS = "what is not there is told in failures, or selects nothing";

/** The requests of NodeService. */
export const nodeRows: Rows = {
  "GetCapabilitiesRequest.nodes.nodes": SELECTS,
  "GetCapabilitiesRequest.nodes.labels": SELECTS,
  "GetStatusRequest.nodes.nodes": SELECTS,
  "GetStatusRequest.nodes.labels": SELECTS,
  "ListNodesRequest.page_size": [wrong(-1, "FIELD_INVALID")],
  "ListNodesRequest.page_token": [wrong("banana", "PAGE_TOKEN_INVALID")],
  "ListNodesRequest.labels": SELECTS,
  "WatchNodesRequest.labels": SELECTS,
  "WatchNodesRequest.resume_token": [wrong("banana", "RESUME_TOKEN_INVALID")],
};
