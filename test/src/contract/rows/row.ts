/** A value that is refused. */
export interface Wrong {
  /** In the JSON form of the contract. */
  readonly value: unknown;
  readonly reason: string;
  /** Where in the value, `[1]`; or, where the failure names another field, its path from the field's own message on, `.other`. */
  readonly at?: string;
  readonly code?: string;
}

/** What a field is refused for; or why there is nothing that it could be refused for. */
export type Row = readonly Wrong[] | string;

/** Rows by `Message.field`. */
export type Rows = Readonly<Record<string, Row>>;

/** A value that is no value of its field. */
export const wrong = (value: unknown, reason: string, at = ""): Wrong => ({ value, reason, at });

/** An element that is none, after one that is. */
export const element = (good: unknown, bad: unknown, reason: string): Wrong => wrong([good, bad], reason, "[1]");

/** More values than a field takes. */
export const tooMany = (value: unknown, count: number): Wrong => wrong(Array(count).fill(value), "FIELD_TOO_LONG");

/** Durations that no field takes. */
export const badDurations: readonly Wrong[] = [wrong("-1s", "DURATION_INVALID"), wrong("-0.5s", "DURATION_INVALID")];

/** Durations that a field does not take which must be longer than 0. */
export const badOrNoDurations: readonly Wrong[] = [...badDurations, wrong("0s", "DURATION_INVALID")];

/** A number that an enum does not have. */
export const NO_ENUM = 77;
