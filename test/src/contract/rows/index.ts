import type { DescField } from "@bufbuild/protobuf";

import { keyOf, pathOf, type Place } from "../walk.js";
import { filterRows } from "./filter.js";
import { nodeRows } from "./node.js";
import { probeRows } from "./probe.js";
import type { Row } from "./row.js";
import { sampleRows } from "./sample.js";
import { sessionRows } from "./session.js";
import { specRows } from "./spec.js";

export const rows = { ...nodeRows, ...sampleRows, ...sessionRows, ...specRows, ...filterRows, ...probeRows };

/** Whether a field that holds messages has a row of its own, and so none for what is inside. */
export function isWhole(field: DescField): boolean {
  return `${field.parent.name}.${field.name}` in rows;
}

/** The row of a place: one of its own (`Request.path`), or else its field's (`Message.field`). */
export function rowOf(request: string, place: Place): { key: string; row: Row } | undefined {
  const own = `${request}.${pathOf(place).replaceAll("[0]", "")}`;
  const key = own in rows ? own : keyOf(place);
  const row = rows[key];
  return row === undefined ? undefined : { key, row };
}
