import { asError } from "../ipc/api";

/** How long typing must rest, and how long it may go on, before the text is saved. */
export const REST = 400;
export const LONGEST = 2_000;
const RETRY = 5_000;

export type DraftState = "clean" | "typing" | "saving" | "saved" | "failed";

/** How often the caret went from one draft to another. */
let touches = 0;

/** What the record says of a saved text. `version` where it counts them. */
export interface Saved {
  at: string | null;
  version?: number;
}

/**
 * A text that is saved as it is typed. Nothing typed is given up: a failed save keeps the text, says so and is tried
 * again; what is typed during a save is saved after it.
 */
export class Draft {
  text = $state("");
  state = $state<DraftState>("clean");
  savedAt = $state<string | null>(null);
  error = $state<string | null>(null);

  /** Counts what was typed: an answer asked for before it is older than the text. */
  typed = 0;

  /** When the caret was here last, counted over all drafts; 0 for never. What is cited goes where it was last. */
  touched = $state(0);
  #caret: number | null = null;

  #save: (text: string) => Promise<Saved>;
  #unsaved: (is: boolean) => void;
  #stored = "";
  /** The version of the text in the record that this one goes back to. */
  #version: number;
  #held = false;
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #since: number | null = null;

  /** `unsaved` is told when something typed is here alone, and when it no longer is. */
  constructor(
    from: { text: string; at: string | null; version?: number },
    save: (text: string) => Promise<Saved>,
    unsaved: (is: boolean) => void = () => {},
  ) {
    this.text = from.text;
    this.#stored = from.text;
    this.savedAt = from.at;
    this.#version = from.version ?? 0;
    this.#save = save;
    this.#unsaved = unsaved;
  }

  /** Where the caret was last, for what is put in from elsewhere. */
  get caret(): number | null {
    return this.#caret;
  }

  set caret(at: number | null) {
    this.#caret = at;
    if (at !== null && (this.touched === 0 || this.touched !== touches)) this.touched = ++touches;
  }

  /** Takes the place of an older draft of the same text: the caret stays where it was. */
  succeed(old: Draft): void {
    this.#caret = old.#caret;
    this.touched = old.touched;
  }

  /** Something was typed that is not in the record yet. */
  get dirty(): boolean {
    return this.text !== this.#stored;
  }

  type(text: string): void {
    this.text = text;
    this.typed++;
    this.#unsaved(this.dirty || this.#running !== null);
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

  /** Puts a paragraph at the end. */
  append(paragraph: string): void {
    const before = this.text.trimEnd();
    const text = `${before}${before ? "\n\n" : ""}${paragraph}\n`;
    this.caret = text.length;
    this.type(text);
  }

  /** Saves at once: on leaving the field, the page or the window. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#running) await this.#running;
    if (this.dirty) await this.#start();
  }

  /**
   * Takes a newer version from the record, unless something here is still unsaved: then what was typed stays. An answer
   * that was on its way while this was saved is older, and is not taken.
   */
  adopt(text: string, savedAt: string | null, version: number): void {
    if (this.dirty || this.#running || version <= this.#version) return;
    this.text = text;
    this.#stored = text;
    this.#version = version;
    this.savedAt = savedAt;
  }

  /** Saves nothing from now on; settles once a save that is under way has ended. */
  async hold(): Promise<void> {
    this.#held = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Goes on after `hold`. */
  release(): void {
    this.#held = false;
    if (this.dirty) this.#in(REST);
  }

  #in(wait: number): void {
    clearTimeout(this.#timer);
    if (this.#held) return;
    this.#timer = setTimeout(() => void this.#start(), wait);
  }

  #start(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = null));
    return this.#running;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.dirty && !this.#held) {
      const text = this.text;
      this.#since = null;
      this.state = "saving";
      try {
        const { at, version } = await this.#save(text);
        this.#stored = text;
        if (version !== undefined) this.#version = version;
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
    this.#unsaved(this.dirty);
  }
}
