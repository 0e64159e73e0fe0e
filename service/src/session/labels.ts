import { Failure, type FieldViolation } from "../failure/failure.js";

const maxLabels = 64;
const maxKeyLength = 63;
const maxValueLength = 255;

/** @throws Failure FIELD_INVALID for one that is too long */
export function checkDisplayName(name: string, field: string): void {
  if (name.length <= maxValueLength) return;
  throw Failure.field("FIELD_INVALID", field, `has ${name.length} characters, at most ${maxValueLength} are allowed`);
}

/** @throws Failure FIELD_INVALID naming every label that is too long, and too many of them */
export function checkLabels(labels: Readonly<Record<string, string>>, field: string): void {
  const violations: FieldViolation[] = [];
  const entries = Object.entries(labels);
  if (entries.length > maxLabels)
    violations.push({ field, description: `${entries.length} labels; at most ${maxLabels}` });
  for (const [key, value] of entries) {
    if (key === "" || key.length > maxKeyLength) {
      violations.push({ field, description: `${JSON.stringify(key)}: a key has 1 to ${maxKeyLength} characters` });
    }
    if (value.length > maxValueLength) {
      violations.push({
        field: `${field}[${JSON.stringify(key)}]`,
        description: `a value has at most ${maxValueLength} characters`,
      });
    }
  }
  const first = violations[0];
  if (first !== undefined) throw Failure.of("FIELD_INVALID", `${first.field}: ${first.description}`, { violations });
}

/** Whether all the wanted labels are there with their values. */
export function labelsMatch(
  wanted: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
