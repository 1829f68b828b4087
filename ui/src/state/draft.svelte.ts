import { asError } from "../ipc/api";

/** How long typing must rest, and how long it may go on, before the text is saved. */
export const REST = 400;
export const LONGEST = 2_000;
const RETRY = 5_000;

export type DraftState = "clean" | "typing" | "saving" | "saved" | "failed";

/**
 * A text that is saved as it is typed. Nothing typed is given up: a failed save keeps the text, says so and is tried
 * again; what is typed during a save is saved after it.
 */
export class Draft {
  text = $state("");
  state = $state<DraftState>("clean");
  savedAt = $state<string | null>(null);
  error = $state<string | null>(null);

  /** Where the caret was last, for what is put in from elsewhere. */
  caret: number | null = null;

  #save: (text: string) => Promise<{ at: string | null }>;
  #stored = "";
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #since: number | null = null;

  constructor(text: string, savedAt: string | null, save: (text: string) => Promise<{ at: string | null }>) {
    this.text = text;
    this.#stored = text;
    this.savedAt = savedAt;
    this.#save = save;
  }

  /** Something was typed that is not in the record yet. */
  get dirty(): boolean {
    return this.text !== this.#stored;
  }

  type(text: string): void {
    this.text = text;
    if (!this.dirty && !this.#running) {
      clearTimeout(this.#timer);
      this.state = this.savedAt ? "saved" : "clean";
      return;
    }
    if (this.state !== "failed") this.state = "typing";
    const now = Date.now();
    this.#since ??= now;
    this.#in(Math.min(REST, Math.max(0, this.#since + LONGEST - now)));
  }

  /** Puts a word in where the caret was last, with a space on either side where one is wanted. */
  insert(word: string): void {
    const at = Math.min(this.caret ?? this.text.length, this.text.length);
    const before = this.text.slice(0, at);
    const after = this.text.slice(at);
    const put = `${before && !/\s$/.test(before) ? " " : ""}${word}${after && !/^[\s.,;:)]/.test(after) ? " " : ""}`;
    this.caret = at + put.length;
    this.type(before + put + after);
  }

  /** Saves at once: on leaving the field, the page or the window. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#running) await this.#running;
    if (this.dirty) await this.#start();
  }

  /** Takes a newer text from the record, unless something here is still unsaved: then what was typed stays. */
  adopt(text: string, savedAt: string | null): void {
    if (this.dirty || this.#running) return;
    this.text = text;
    this.#stored = text;
    this.savedAt = savedAt;
  }

  #in(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#start(), wait);
  }

  #start(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = null));
    return this.#running;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.dirty) {
      const text = this.text;
      this.#since = null;
      this.state = "saving";
      try {
        const { at } = await this.#save(text);
        this.#stored = text;
        this.savedAt = at;
        this.error = null;
        this.state = "saved";
      } catch (thrown) {
        this.error = asError(thrown).message;
        this.state = "failed";
        this.#in(RETRY);
        return;
      }
    }
  }
}
