import { Collection, Limits, SessionSpec, type Session } from "@latscope/proto";
import { Failure } from "../failure/failure.js";
import type { ClientFields } from "./etag.js";

const wholePaths = [
  "display_name",
  "labels",
  "spec.filters",
  "spec.exclude",
  "spec.collection",
  "spec.limits",
] as const;

const nested = {
  "spec.collection": [
    "max_samples_per_second",
    "histograms_only",
    "group_by",
    "ipv4_prefix_length",
    "ipv6_prefix_length",
    "sample_min_latency",
    "max_groups",
  ],
  "spec.limits": ["duration", "max_samples", "idle_timeout", "retain", "history_bytes"],
} as const;

/** Every path that an update may name. */
export const legalPaths: readonly string[] = [
  ...wholePaths,
  ...Object.entries(nested).flatMap(([parent, fields]) => fields.map((field) => `${parent}.${field}`)),
];

/**
 * The fields of a session after an update. Nothing that was given is changed.
 *
 * @throws Failure UPDATE_MASK_INVALID for an empty mask and for each path that no update may name
 */
export function applyMask(current: ClientFields, update: Session, paths: readonly string[]): ClientFields {
  const wrong = paths.filter((path) => !legalPaths.includes(path));
  if (paths.length === 0 || wrong.length > 0) throw illegal(wrong);

  const spec = SessionSpec.fromPartial(current.spec);
  const given = SessionSpec.fromPartial(update.spec ?? {});
  const next = { displayName: current.displayName, labels: current.labels, spec };
  for (const path of paths) {
    const [, parent, field] = /^(spec\.(?:collection|limits))\.(\w+)$/.exec(path) ?? [];
    if (path === "display_name") next.displayName = update.displayName;
    else if (path === "labels") next.labels = update.labels;
    else if (path === "spec.filters") spec.filters = given.filters;
    else if (path === "spec.exclude") spec.exclude = given.exclude;
    else if (path === "spec.collection") spec.collection = given.collection;
    else if (path === "spec.limits") spec.limits = given.limits;
    else if (parent === "spec.collection") {
      spec.collection = withField(
        Collection.fromPartial(spec.collection ?? {}),
        Collection.fromPartial(given.collection ?? {}),
        field,
      );
    } else {
      spec.limits = withField(Limits.fromPartial(spec.limits ?? {}), Limits.fromPartial(given.limits ?? {}), field);
    }
  }
  return next;
}

/** Whether an update with these paths reaches the eBPF side. */
export function touchesSpec(paths: readonly string[]): boolean {
  return paths.some((path) => path.startsWith("spec."));
}

function withField<T extends object>(target: T, source: T, field: string | undefined): T {
  const key = (field ?? "").replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof T;
  return { ...target, [key]: source[key] };
}

function illegal(wrong: readonly string[]): Failure {
  const legal = `legal paths: ${legalPaths.join(", ")}`;
  const violations =
    wrong.length === 0
      ? [{ field: "update_mask", description: `is empty; ${legal}` }]
      : wrong.map((path) => ({
          field: "update_mask",
          description: `${JSON.stringify(path)} cannot be updated; ${legal}`,
        }));
  const message = `update_mask: ${violations[0]?.description ?? legal}`;
  return Failure.of("UPDATE_MASK_INVALID", message, { violations });
}
