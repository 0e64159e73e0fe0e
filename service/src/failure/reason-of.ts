/** What went wrong, for a person: an error's message, or what was thrown in its place. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
