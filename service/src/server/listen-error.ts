/** An address cannot be had; the message says why, for a person. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}
