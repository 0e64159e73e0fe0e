/** Individual samples a second and CPU that each session gets at most, from one step of thinning to the next. */
export const thinnedTo: readonly number[] = [5000, 500, 50];

/** What the guard goes by. */
export interface Ceilings {
  /** Share of the host's processors that eBPF programs may take; 1 = all of them. */
  cpuShare: number;
  /** Bytes of kernel memory of programs and maps. */
  memory: number;
}

/** What it sees. */
export interface Load {
  /** Undefined while it is not known. */
  cpuShare: number | undefined;
  memory: number;
  /** How many steps of thinning are in force. */
  thinned: number;
  /** How many windows ago the last step was; what it brought is seen after one. */
  windowsSinceStep: number;
}

export type Step = "thin" | "stop" | "restore" | undefined;

// What is below half of the ceiling now will hardly be above it with one step taken back.
const lowShare = 0.5;
const windowsBeforeRestore = 3;

/** What is to be done now. Memory is the tables' own, which are no smaller with fewer samples: there only a stop helps. */
export function nextStep({ cpuShare, memory, thinned, windowsSinceStep }: Load, ceilings: Ceilings): Step {
  if (windowsSinceStep < 1) return undefined;
  if (memory > ceilings.memory) return "stop";
  if (cpuShare === undefined) return undefined;
  if (cpuShare > ceilings.cpuShare) return thinned < thinnedTo.length ? "thin" : "stop";
  const low = cpuShare < ceilings.cpuShare * lowShare && windowsSinceStep >= windowsBeforeRestore;
  return thinned > 0 && low ? "restore" : undefined;
}
