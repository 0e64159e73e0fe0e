import { Metric, type Group, type GroupHistogram, type Histogram } from "@latscope/proto";
import type { SessionRecord } from "../session/record.js";
import { addHistograms } from "./add-histograms.js";

/** More groups than a session can have. */
export const everyGroup = 65_536;

/** A group under a name of its own, and what was measured of it. */
export interface NamedHistogram {
  /** Metric, probe, keys of the group, or `other`. */
  labels: Readonly<Record<string, string | undefined>>;
  histogram: Histogram;
}

/**
 * The groups of one session that are told apart: the first so many that came. A group stays among them as long as the session
 * lives, so that its counts never fall; everything else is counted in `other`, of each metric and probe one.
 */
export class BoundedGroups {
  readonly #known = new Set<string>();

  constructor(readonly most: number) {}

  /** @param groups cumulative, those that count most first */
  take(groups: Iterable<GroupHistogram>): NamedHistogram[] {
    const own: NamedHistogram[] = [];
    const others = new Map<string, NamedHistogram>();
    for (const { group, histogram } of groups) {
      if (group === undefined || histogram === undefined) continue;
      if (!group.other && this.#tells(group)) {
        own.push({ labels: { ...base(group), ...group.keys }, histogram });
        continue;
      }
      const labels = { ...base(group), other: "true" };
      const key = JSON.stringify(labels);
      const known = others.get(key);
      others.set(key, {
        labels,
        histogram: known === undefined ? histogram : addHistograms(known.histogram, histogram),
      });
    }
    return [...own, ...others.values()];
  }

  #tells({ metric, probe, keys }: Group): boolean {
    const key = JSON.stringify([metric, probe, Object.entries(keys).sort()]);
    if (this.#known.has(key)) return true;
    if (this.#known.size >= this.most) return false;
    this.#known.add(key);
    return true;
  }
}

/** Those of every session that is told of. */
export class GroupsOfSessions {
  readonly #groups = new WeakMap<SessionRecord, BoundedGroups>();

  /** @param most groups of each session that are told apart */
  constructor(readonly most: number) {}

  of(record: SessionRecord): BoundedGroups {
    let groups = this.#groups.get(record);
    if (groups === undefined) this.#groups.set(record, (groups = new BoundedGroups(this.most)));
    return groups;
  }
}

function base({ metric, probe }: Group): { metric: string; probe: string } {
  return { metric: Metric[metric].toLowerCase(), probe: String(probe) };
}
