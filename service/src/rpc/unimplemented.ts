import { Failure } from "../failure/failure.js";

/** The answer of a method of the contract that this version does not serve yet. */
export function unimplemented(method: string, missing: string): Failure {
  return Failure.of("METHOD_UNIMPLEMENTED", `${method} is not served by this version: ${missing}`, {
    metadata: { method },
  });
}
