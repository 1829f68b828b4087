import { asError, type Backend } from "../ipc/api";
import type { ExchangeDto, WritingDto, WritingStep } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";
import { Run } from "./run.svelte";
import type { Unsaved } from "./unsaved";

/** What was asked about one incident, what is being answered, and the advice on its steps. */
export class Conversation {
  readonly id: string;
  /** Oldest first; `null` until they were read. */
  exchanges = $state.raw<ExchangeDto[] | null>(null);
  error = $state<string | null>(null);
  readonly wait = new Wait();
  /** The question that is being typed. */
  #typed = $state("");
  /** What is being answered, or ended without an answer and can be asked again. */
  asked = $state<{ question: string; run: Run } | null>(null);
  /** Why the recommended steps, in which order, and for which revision of the incident. */
  advice = $state.raw<{ writing: WritingDto; revision: number } | null>(null);
  advising = $state<Run | null>(null);
  #backend: Backend;
  #unsaved: Unsaved;
  #onstep: (step: WritingStep) => void;

  constructor(backend: Backend, id: string, unsaved: Unsaved, onstep: (step: WritingStep) => void) {
    this.#backend = backend;
    this.#unsaved = unsaved;
    this.#onstep = onstep;
    this.id = id;
  }

  get typed(): string {
    return this.#typed;
  }

  set typed(text: string) {
    this.#typed = text;
    this.#hold();
  }

  /** An answer is on its way. */
  get busy(): boolean {
    return this.asked?.run.on ?? false;
  }

  async read(): Promise<void> {
    if (!this.exchanges) this.error = null;
    await this.wait.for(async (wanted) => {
      try {
        const kept = await this.#backend.exchanges(this.id);
        if (!wanted()) return;
        this.exchanges = kept;
        this.error = null;
      } catch (thrown) {
        if (wanted()) this.error = asError(thrown).message;
      }
    });
  }

  /** Asks; one question at a time. The answer, or `null` where there is none. */
  async ask(question: string, useModel: boolean): Promise<ExchangeDto | null> {
    if (this.busy) return null;
    const run = new Run(this.#backend);
    this.asked = { question, run };
    this.#hold();
    const answer = await run.of((writing, onStep) =>
      this.#backend.ask(this.id, question, useModel, writing, (step) => this.#told(step, onStep)),
    );
    this.#hold();
    // Asked again in the meantime, or forgotten: what is in the record is read from there.
    if (this.asked?.run !== run) {
      if (answer) await this.read();
      return null;
    }
    if (!answer) return null;
    this.exchanges = [...(this.exchanges ?? []).filter((e) => e.id !== answer.id), answer];
    this.asked = null;
    this.#hold();
    return answer;
  }

  stop(): void {
    this.asked?.run.stop();
    this.#hold();
  }

  /** Lets go of what ended without an answer. */
  drop(): void {
    if (!this.busy) this.asked = null;
  }

  async forget(exchange: string): Promise<void> {
    await this.#backend.forgetExchange(this.id, exchange);
    this.exchanges = this.exchanges?.filter((e) => e.id !== exchange) ?? null;
  }

  async advise(useModel: boolean, revision: number): Promise<WritingDto | null> {
    if (this.advising?.on) return null;
    const run = new Run(this.#backend);
    this.advising = run;
    const writing = await run.of((name, onStep) =>
      this.#backend.advise(this.id, useModel, name, (step) => this.#told(step, onStep)),
    );
    if (this.advising !== run || !writing) return null;
    this.advice = { writing, revision };
    this.advising = null;
    return writing;
  }

  /** A question that was begun, or is being answered, is nowhere else: a page that is hidden stays for it. */
  #hold(): void {
    this.#unsaved.set(this, this.#typed.trim() !== "" || this.busy);
  }

  #told(step: WritingStep, onStep: (step: WritingStep) => void): void {
    this.#onstep(step);
    onStep(step);
  }
}
