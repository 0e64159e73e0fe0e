import { afterEach } from "vitest";

import { Scope } from "./undo.js";

export { Scope };

/** A scope that closes after each test of the enclosing `describe`. */
export function scopeOfEachTest(): Scope {
  const scope = new Scope();
  afterEach(() => scope.close());
  return scope;
}
