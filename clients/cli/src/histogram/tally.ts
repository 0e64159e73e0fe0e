import { sumOf } from "@latscope/client";
import { Group, type GroupHistogram, type Histogram } from "@latscope/proto";

/** Histograms of intervals, added up by group. */
export class Tally {
  readonly #groups = new Map<string, { group: Group; histogram: Histogram }>();

  add(groups: readonly GroupHistogram[]): void {
    for (const { group = Group.fromPartial({}), histogram } of groups) {
      if (histogram === undefined) continue;
      const key = keyOf(group);
      const known = this.#groups.get(key);
      if (known === undefined) this.#groups.set(key, { group, histogram });
      else known.histogram = sumOf(known.histogram, histogram);
    }
  }

  /** By count, descending, what is beyond the groups last: as the service has them. */
  get groups(): GroupHistogram[] {
    return [...this.#groups.values()].sort(
      (a, b) => Number(a.group.other) - Number(b.group.other) || Number(b.histogram.count - a.histogram.count),
    );
  }
}

function keyOf({ metric, probe, other, keys }: Group): string {
  return JSON.stringify([metric, probe, other, ...Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
