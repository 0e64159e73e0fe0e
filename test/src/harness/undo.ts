/** What a test made and must be taken away again, in reverse order, however the test ends. */
export class Scope {
  readonly #deferred: (() => Promise<void>)[] = [];

  /** Has `undo` called when the scope closes, before everything that was deferred earlier. */
  defer(undo: () => Promise<void>): void {
    this.#deferred.push(undo);
  }

  /** Undoes everything, even when some of it fails; then throws what failed. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#deferred.splice(0).reverse()) {
      await undo().catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("; "));
  }
}
