/** Waits that can be cut short, all that are to come as well. */
export class Pause {
  #over = false;
  #end: (() => void) | undefined;

  /** Resolves after so many milliseconds, or at once when it is cut. At most one at a time. */
  async for(milliseconds: number): Promise<void> {
    if (this.#over || milliseconds <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
    this.#end = undefined;
  }

  cut(): void {
    this.#over = true;
    this.#end?.();
  }

  get isCut(): boolean {
    return this.#over;
  }
}
