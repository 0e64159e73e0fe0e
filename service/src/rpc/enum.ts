import { Failure } from "../failure/failure.js";

/** @param type an enum of the contract @throws Failure FIELD_INVALID for a number that it does not have */
export function checkEnum(type: Readonly<Record<number, string>>, value: number, field: string): void {
  if (value < 0 || type[value] === undefined) {
    throw Failure.field("FIELD_INVALID", field, `${value} is not one of its values`);
  }
}
