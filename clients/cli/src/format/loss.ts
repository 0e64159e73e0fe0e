import { LossStage, RefusalReason, type Loss, type Refusal } from "@latscope/proto";
import { nanoseconds, type Clock } from "./time.js";

const stages: Readonly<Record<number, string>> = {
  [LossStage.KERNEL_RATE_LIMIT]: "over the rate cap",
  [LossStage.KERNEL_RING_FULL]: "kernel ring full",
  [LossStage.KERNEL_MAP_FULL]: "kernel map full",
  [LossStage.HISTORY_EVICTED]: "history gone",
  [LossStage.SUBSCRIBER_QUEUE]: "read too slowly",
  [LossStage.SUBSCRIBER_SAMPLED]: "thinned",
  [LossStage.FLEET]: "between nodes",
};

const reasons: Readonly<Record<number, string>> = {
  [RefusalReason.RETRANSMITTED]: "retransmitted",
  [RefusalReason.REORDERED]: "reordered",
  [RefusalReason.DUPLICATE_ACK]: "duplicate ACK",
  [RefusalReason.JOINED_MIDWAY]: "joined midway",
  [RefusalReason.FRAGMENT]: "fragment",
  [RefusalReason.UNPARSABLE]: "unparsable",
  [RefusalReason.UNMATCHED_START]: "no end seen",
  [RefusalReason.UNMATCHED_END]: "no start seen",
  [RefusalReason.CLOCK_BACKWARDS]: "clock went backwards",
  [RefusalReason.SLOTS_FULL]: "too many in flight",
};

/** `2 kernel ring full` */
export function lossPart({ stage, count }: Loss): string {
  return `${count} ${stages[stage] ?? `at stage ${stage}`}`;
}

/** `12 retransmitted` */
export function refusalPart({ reason, count }: Refusal): string {
  return `${count} ${reasons[reason] ?? `for reason ${reason}`}`;
}

/** `lost 120 samples: kernel ring full (14:03:07.218 to 14:03:08.001)` */
export function lossLine({ stage, count, firstTime, lastTime }: Loss, clock: Clock): string {
  const when =
    firstTime === undefined || lastTime === undefined
      ? ""
      : ` (${clock.timeOfDay(nanoseconds(firstTime))} to ${clock.timeOfDay(nanoseconds(lastTime))})`;
  return `lost ${count} ${count === 1n ? "sample" : "samples"}: ${stages[stage] ?? `stage ${stage}`}${when}`;
}
