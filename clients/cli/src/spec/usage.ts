/** Flags that are each right but not together; the message names them. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
