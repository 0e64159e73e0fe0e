import { badDurations, element, NO_ENUM, tooMany, wrong, type Rows, type Wrong } from "./row.js";

const cidrs: readonly Wrong[] = [
  element("10.0.0.0/8", "10.0.0.0/33", "CIDR_INVALID"),
  element("fd00::/8", "fd00::/129", "CIDR_INVALID"),
  element("10.0.0.1", "example.org", "CIDR_INVALID"),
  element("10.0.0.1", "", "CIDR_INVALID"),
  tooMany("10.0.0.1", 1025),
];

/** What a session says in other fields. */
const forReaders: Readonly<Record<string, readonly Wrong[]>> = {
  min_latency: [wrong("0.001s", "FIELD_INVALID"), wrong("0s", "FIELD_INVALID")],
  interfaces: [wrong(["eth0"], "FIELD_INVALID")],
  network_namespaces: [wrong(["0"], "FIELD_INVALID")],
};

/** Filters, of sessions and of readers. */
export const filterRows: Rows = {
  "Filter.client_cidrs": cidrs,
  "Filter.server_cidrs": cidrs,
  "Filter.cidrs": cidrs,
  "Filter.vlan_ids": [element(0, 4095, "FIELD_INVALID")],
  "Filter.directions": [
    element("DIRECTION_INBOUND", NO_ENUM, "FIELD_INVALID"),
    element("DIRECTION_INBOUND", 0, "FIELD_INVALID"),
  ],
  "Filter.pids": [wrong([0], "FIELD_INVALID", "[0]"), wrong([4_294_967_295], "FIELD_INVALID", "[0]")],
  "Filter.comms": [wrong([""], "FIELD_INVALID", "[0]"), wrong(["c".repeat(16)], "FIELD_INVALID", "[0]")],
  "Filter.cgroup_paths": [
    wrong(["relative"], "FIELD_INVALID", "[0]"),
    wrong(["/a/../b"], "FIELD_INVALID", "[0]"),
    wrong([""], "FIELD_INVALID", "[0]"),
  ],
  "Filter.min_latency": badDurations,
  "Filter.metrics": [
    element("METRIC_TCP_RTT", NO_ENUM, "METRIC_INVALID"),
    element("METRIC_TCP_RTT", 0, "METRIC_INVALID"),
  ],
  "Filter.protocols": [
    element("IP_PROTOCOL_TCP", NO_ENUM, "FIELD_INVALID"),
    element("IP_PROTOCOL_TCP", 0, "FIELD_INVALID"),
  ],
  "Filter.subjects": [wrong([""], "FIELD_INVALID", "[0]")],
  "Filter.interfaces": [wrong([""], "FIELD_INVALID", "[0]"), element("eth*", "a/b", "FIELD_INVALID")],
  "Filter.network_namespaces": [tooMany("1", 1025)],
  ...Object.fromEntries(
    [
      "CreateSessionRequest.session.spec",
      "UpdateSessionRequest.session.spec",
      "StreamSamplesRequest.spec",
      "StreamHistogramsRequest.spec",
    ].flatMap((spec) =>
      ["filters", "exclude"].flatMap((list) =>
        Object.entries(forReaders).map(([field, wrong]) => [`${spec}.${list}.${field}`, wrong]),
      ),
    ),
  ),
  "PortRange.first": [wrong(0, "PORT_INVALID"), wrong(65_536, "PORT_INVALID")],
  "PortRange.last": [wrong(65_536, "PORT_INVALID"), wrong(9, "PORT_INVALID")],
};
