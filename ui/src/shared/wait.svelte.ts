/** Something that is asked for: since when it is waited for, and whether the person waits no longer. */
export class Wait {
  /** When it was asked, by the real clock in milliseconds; `null` while nothing is on its way. */
  since = $state<number | null>(null);
  /** The person gave up waiting. */
  stopped = $state(false);
  /** Told that the person gave up. */
  onstop: () => void = () => {};
  #turn = 0;

  /** Asks. `wanted` says whether the answer still is: not once it was asked anew, or is waited for no longer. */
  async for<Answer>(ask: (wanted: () => boolean) => Promise<Answer>): Promise<Answer> {
    const turn = ++this.#turn;
    const wanted = () => turn === this.#turn;
    this.since = Date.now();
    this.stopped = false;
    try {
      return await ask(wanted);
    } finally {
      if (wanted()) this.since = null;
    }
  }

  stop(): void {
    this.#turn++;
    this.since = null;
    this.stopped = true;
    this.onstop();
  }
}
