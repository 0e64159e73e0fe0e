import type { Group } from "@latscope/proto";
import { shortName } from "../format/metric.js";
import type { Align } from "../format/table.js";
import { printable } from "../format/text.js";
import { groupKeys } from "../spec/group.js";

/** What tells groups apart, as the first columns of a table. */
export interface GroupColumns {
  header: string[];
  align: Align[];
  cells: (group: Group | undefined) => string[];
}

/** The metric, the probe where there are several, and each key that one of the groups has. */
export function groupColumns(groups: readonly (Group | undefined)[]): GroupColumns {
  const byProbe = groups.some((group) => (group?.probe ?? 0) > 0);
  const present = new Set(groups.flatMap((group) => Object.keys(group?.keys ?? {})));
  const keys = [...groupKeys.filter((key) => present.delete(key)), ...present];
  const header = ["metric", ...(byProbe ? ["probe"] : []), ...keys.map((key) => printable(key.replace("_", " ")))];
  return {
    header,
    align: header.map(() => "left"),
    cells: (group) => {
      if (group === undefined) return [];
      // What is beyond the groups has no keys; without a column for them the metric says so.
      const metric = shortName(group.metric) + (group.other && keys.length === 0 ? " (other)" : "");
      const values = keys.map((key, index) =>
        group.other ? (index === 0 ? "(other)" : "") : printable(group.keys[key] ?? "-"),
      );
      return [metric, ...(byProbe ? [group.probe.toString()] : []), ...values];
    },
  };
}
