import { GetSnapshotRequest, GetSnapshotResponse, LossStage, RefusalReason, SessionState } from "@latscope/proto";
import type { MetricFamily } from "@latscope/proto/io/prometheus/client";
import { toFailure } from "../../failure/answer.js";
import type { SessionRecord } from "../../session/record.js";
import { everyGroup, GroupsOfSessions, type NamedHistogram } from "../bounded-groups.js";
import type { Exported } from "../exported.js";
import { counter, gauge, histogram, type Point } from "./family.js";
import { toPrometheus } from "./histogram.js";

/** What one session has measured so far. */
interface Snapshot {
  record: SessionRecord;
  answer: GetSnapshotResponse;
  groups: NamedHistogram[];
}

/** What sessions measured, by group. It keeps in mind which groups it told of. */
export class SessionFamilies {
  readonly #exported: Exported;
  readonly #groups: GroupsOfSessions;

  /** @param most groups of each session that are told apart */
  constructor(exported: Exported, most: number) {
    this.#exported = exported;
    this.#groups = new GroupsOfSessions(most);
  }

  async collect(): Promise<MetricFamily[]> {
    const snapshots: Snapshot[] = [];
    // One after the other: a scrape is in no hurry, and what reads histograms out of the kernel has other things to do.
    for (const record of this.#exported.sessions.all()) {
      const snapshot = await this.#snapshot(record);
      if (snapshot !== undefined) snapshots.push(snapshot);
    }
    const each = (points: (snapshot: Snapshot, session: string) => Point[]): Point[] =>
      snapshots.flatMap((snapshot) => points(snapshot, snapshot.record.id));
    const total = (of: "measured" | "delivered" | "aggregatedOnly" | "inFlight"): Point[] =>
      each(({ answer }, session) => [[{ session }, answer.stats?.totals?.[of] ?? 0n]]);
    return [
      gauge(
        "latscope_session_state",
        "1 for the state that a session is in.",
        each(({ record }, session) => [[{ session, state: SessionState[record.state].toLowerCase() }, 1]]),
      ),
      gauge(
        "latscope_session_readers",
        "Streams that read a session.",
        each(({ answer }, session) => [[{ session }, answer.stats?.subscribers ?? 0]]),
      ),
      gauge(
        "latscope_session_kernel_memory_bytes",
        "Kernel memory of the maps that serve a session; others may use them too.",
        each(({ answer }, session) => [[{ session }, answer.stats?.kernelMemoryBytes ?? 0n]]),
      ),
      counter("latscope_session_measured", "Latencies told apart in the kernel.", total("measured")),
      counter("latscope_session_delivered", "Samples read out of the kernel.", total("delivered")),
      counter(
        "latscope_session_aggregated",
        "Latencies that only histograms count, by request.",
        total("aggregatedOnly"),
      ),
      gauge("latscope_session_in_flight", "Samples that are in the kernel's rings.", total("inFlight")),
      counter(
        "latscope_session_lost_samples",
        "Samples that existed and did not arrive, by the stage that lost them.",
        each(({ answer }, session) =>
          (answer.stats?.totals?.losses ?? []).map(({ stage, count }) => [
            { session, stage: LossStage[stage].toLowerCase() },
            count,
          ]),
        ),
      ),
      counter(
        "latscope_session_refused_latencies",
        "Latencies that could not be told truthfully, by reason.",
        each(({ answer }, session) =>
          (answer.stats?.totals?.refusals ?? []).map(({ reason, count }) => [
            { session, reason: RefusalReason[reason].toLowerCase() },
            count,
          ]),
        ),
      ),
      histogram(
        "latscope_latency_seconds",
        "Latencies by session, metric and group.",
        snapshots.flatMap(({ record, groups }) =>
          groups.map(({ labels, histogram }) => [{ session: record.id, ...labels }, toPrometheus(histogram)] as const),
        ),
      ),
    ];
  }

  async #snapshot(record: SessionRecord): Promise<Snapshot | undefined> {
    const { handle, name } = record;
    if (handle === undefined) return undefined;
    const request = { session: name, quantiles: [0.5], top: everyGroup, includeHistograms: true };
    try {
      const bytes = GetSnapshotRequest.encode(GetSnapshotRequest.fromPartial(request)).finish();
      const header = { node: this.#exported.node, session: name, scope: { principal: "" } };
      const answer = GetSnapshotResponse.decode(await handle.snapshot(Buffer.from(bytes), header));
      return { record, answer, groups: this.#groups.of(record).take(answer.groups) };
    } catch (error) {
      // It may be deleted during a scrape.
      if (toFailure(error)?.reason === "CLOSED") return undefined;
      throw error;
    }
  }
}
