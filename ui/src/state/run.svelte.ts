import { asError, type Backend, type OnStep } from "../ipc/api";
import type { WritingStep } from "../ipc/types";

let runs = 0;
/** A name no other run of any window of this program has had: the program knows it by that alone. */
const nameOf = () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}-${++runs}`;

/** Something that is being written: how far it is, and how it ended where it did not end well. */
export class Run {
  readonly id = nameOf();
  /** What was told last; `null` until anything was. */
  step = $state.raw<WritingStep | null>(null);
  /** Since when it has been at this kind of step, by the real clock. */
  since = $state(Date.now());
  /** The words so far. Nobody has checked them. */
  text = $state("");
  tokensPerSecond = $state(0);
  /** A person stopped it. */
  stopped = $state(false);
  /** Why it ended without an answer. */
  failed = $state<string | null>(null);
  #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Still going on. */
  get on(): boolean {
    return !this.stopped && this.failed === null;
  }

  get words(): number {
    return this.text.match(/\S+/g)?.length ?? 0;
  }

  /**
   * Starts it. The answer is `null` where there is none: it was stopped, or failed, and what was written so far stays.
   * What was stopped too late and came to an end all the same is an answer.
   */
  async of<Answer>(start: (writing: string, onStep: OnStep) => Promise<Answer>): Promise<Answer | null> {
    try {
      return await start(this.id, (step) => this.#take(step));
    } catch (thrown) {
      const { message, code } = asError(thrown);
      if (code === "cancelled") this.stopped = true;
      if (!this.stopped) this.failed = message;
      return null;
    }
  }

  /** Stops it. The words so far stay; the program needs a moment to let go, which nobody has to wait for. */
  stop(): void {
    if (!this.on) return;
    this.stopped = true;
    this.#backend.cancelWriting(this.id).catch(() => undefined);
  }

  #take(step: WritingStep): void {
    if (!this.on) return;
    if (this.step?.type !== step.type) this.since = Date.now();
    this.step = step;
    if (step.type !== "words") return;
    this.text += step.more;
    this.tokensPerSecond = step.tokens_per_second;
  }
}
