/** What a screen reader is told, and the short notice everyone sees. */
export class Voice {
  /** Read out politely; one message in ten seconds at most, the newest wins. */
  spoken = $state("");
  /** A short confirmation at the foot of the window, gone after a while. */
  notice = $state<{ text: string; bad: boolean } | null>(null);

  #last = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fade: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    clearTimeout(this.#timer);
    const wait = Math.max(0, this.#last + 10_000 - Date.now());
    this.#timer = setTimeout(() => {
      this.#last = Date.now();
      this.spoken = text;
    }, wait);
  }

  show(text: string, bad = false): void {
    clearTimeout(this.#fade);
    this.notice = { text, bad };
    // A refusal stays until it is closed: it may have to be read twice.
    if (!bad) this.#fade = setTimeout(() => (this.notice = null), 5_000);
  }

  dismiss(): void {
    clearTimeout(this.#fade);
    this.notice = null;
  }
}
