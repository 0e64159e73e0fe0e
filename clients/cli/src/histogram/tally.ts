import { sumOf } from "@latscope/client";
import { Group, type GroupHistogram, type Histogram } from "@latscope/proto";

interface Entry {
  group: Group;
  histogram: Histogram;
  /** Of the intervals in which they were known. */
  least: bigint | undefined;
  greatest: bigint | undefined;
}

/** Histograms of intervals, added up by group. */
export class Tally {
  readonly #groups = new Map<string, Entry>();
  #whole: boolean;

  /** @param whole whether the intervals begin with their session */
  constructor(whole: boolean) {
    this.#whole = whole;
  }

  add(groups: readonly GroupHistogram[]): void {
    for (const { group = Group.fromPartial({}), histogram } of groups) {
      if (histogram === undefined) continue;
      // What an interval has in there, another may have by itself.
      if (group.other) this.#whole = false;
      const key = keyOf(group);
      const known = this.#groups.get(key);
      const { minNs: least, maxNs: greatest } = histogram;
      if (known === undefined) {
        this.#groups.set(key, { group, histogram, least, greatest });
      } else {
        known.histogram = sumOf(known.histogram, histogram);
        // What is known of a later interval is below the least, or above the greatest, of all before.
        known.least = least ?? known.least;
        known.greatest = greatest ?? known.greatest;
      }
    }
  }

  /** By count, descending, what is beyond the groups last: as the service has them. */
  get groups(): GroupHistogram[] {
    return [...this.#groups.values()]
      .map(({ group, histogram, least, greatest }) => ({
        group,
        // An interval whose extremes are not known was within those before: nothing is missing where all were seen.
        histogram: this.#whole ? { ...histogram, minNs: least, maxNs: greatest } : histogram,
      }))
      .sort((a, b) => Number(a.group.other) - Number(b.group.other) || Number(b.histogram.count - a.histogram.count));
  }
}

function keyOf({ metric, probe, other, keys }: Group): string {
  return JSON.stringify([metric, probe, other, ...Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
