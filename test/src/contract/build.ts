import type { DescField } from "@bufbuild/protobuf";

import type { Place } from "./walk.js";

/** A message in the JSON form of the contract. */
export type Json = Readonly<Record<string, unknown>>;

/**
 * A request with one value at one place.
 *
 * @param base what the request is otherwise
 * @param neighbours by message, what its other fields must hold for the value to be all that is wrong
 */
export function withValue(base: Json, place: Place, value: unknown, neighbours: Readonly<Record<string, Json>>): Json {
  const [step, ...rest] = place.steps;
  if (step === undefined) return { ...without(base, place.field), [place.field.jsonName]: value };
  const parent = step.message;
  if (parent === undefined) throw new TypeError(`${step.name} is no message`);
  const found = base[step.jsonName];
  const inner = (Array.isArray(found) ? undefined : found) as Json | undefined;
  const next = withValue({ ...neighbours[parent.name], ...inner }, { ...place, steps: rest }, value, neighbours);
  return { ...without(base, step), [step.jsonName]: step.fieldKind === "list" ? [next] : next };
}

/** Without the other members of the field's oneof, of which only one can be set. */
function without(base: Json, field: DescField): Json {
  const others = new Set(field.oneof?.fields.map(({ jsonName }) => jsonName));
  return Object.fromEntries(Object.entries(base).filter(([name]) => !others.has(name)));
}
