import { badDurations, badOrNoDurations, element, NO_ENUM, tooMany, wrong, type Rows } from "./row.js";

/** What a session is to do, but for probes and filters. */
export const specRows: Rows = {
  "SessionSpec.interfaces": [
    element("lo", "a/b", "FIELD_INVALID"),
    element("lo", "", "FIELD_INVALID"),
    element("lo", "nowhere0", "INTERFACE_UNKNOWN"),
    tooMany("lo", 257),
  ],
  "SessionSpec.network_namespaces": [
    element("pid:1", "pid:0", "FIELD_INVALID"),
    element("/a", "relative", "FIELD_INVALID"),
    tooMany("/a", 257),
  ],
  "PacketOptions.inner": "both values mean something",
  "PacketOptions.ignore_vlan": "both values mean something",
  "NodeSelector.nodes": [wrong(["nodes/elsewhere"], "FIELD_INVALID", "[0]")],
  "NodeSelector.labels": [wrong({ site: "elsewhere" }, "FIELD_INVALID")],
  "Collection.max_samples_per_second": "a higher one than the host grants is clamped, as effective_spec shows",
  "Collection.histograms_only": "both values mean something",
  "Collection.group_by": [
    element("GROUP_BY_INTERFACE", 0, "FIELD_INVALID"),
    element("GROUP_BY_INTERFACE", NO_ENUM, "FIELD_INVALID"),
    element("GROUP_BY_INTERFACE", "GROUP_BY_INTERFACE", "FIELD_INVALID"),
    element("GROUP_BY_INTERFACE", "GROUP_BY_COMM", "FIELD_INVALID"),
  ],
  "Collection.ipv4_prefix_length": [wrong(33, "FIELD_INVALID")],
  "Collection.ipv6_prefix_length": [wrong(129, "FIELD_INVALID")],
  "Collection.sample_min_latency": badDurations,
  "Collection.max_groups": [wrong(65_537, "FIELD_INVALID")],
  "Limits.duration": badOrNoDurations,
  "Limits.max_samples": [wrong("0", "FIELD_INVALID")],
  "Limits.idle_timeout": badOrNoDurations,
  "Limits.retain": badDurations,
  "Limits.history_bytes": "more than the host grants is clamped, as effective_spec shows",
};
