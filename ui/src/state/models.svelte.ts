import { asError, type Backend } from "../ipc/api";
import type { AppEvent, ModelJobDto, ModelsPage, ModelStateDto, WritingStep } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";
import { Conversation } from "./conversation.svelte";
import type { Unsaved } from "./unsaved";

/** The chosen model, the models there are, and what is written with them. */
export class ModelsStore {
  /** `null` until it is known. */
  state = $state.raw<ModelStateDto | null>(null);
  page = $state.raw<ModelsPage | null>(null);
  error = $state<string | null>(null);
  readonly wait = new Wait();
  /** What ended with a problem, until that was read: the program tells it once. */
  failed = $state.raw<ModelJobDto | null>(null);
  /** The person wants the rules to write although there is a model. */
  byRules = $state(false);
  /** How far the model is read into memory, from 0 to 1, where this window waits for it. */
  loaded = $state<number | null>(null);
  #backend: Backend;
  #unsaved: Unsaved;
  #conversations = new Map<string, Conversation>();
  static readonly KEPT = 24;

  constructor(backend: Backend, unsaved: Unsaved) {
    this.#backend = backend;
    this.#unsaved = unsaved;
  }

  /** A model is chosen, so that it is asked for. */
  get chosen(): boolean {
    return this.state !== null && this.state.phase !== "none";
  }

  /** Who is asked to write: the model, unless there is none or the person wants the rules. */
  get useModel(): boolean {
    return this.chosen && !this.byRules;
  }

  async readState(): Promise<void> {
    try {
      this.#stand(await this.#backend.modelState());
    } catch {
      // Where it cannot be told, nothing is said of it; the page of the models says why.
    }
  }

  async read(): Promise<void> {
    if (!this.page) this.error = null;
    await this.wait.for(async (wanted) => {
      try {
        const page = await this.#backend.models();
        if (!wanted()) return;
        this.page = page;
        this.#stand(page.state);
        this.#ended(page.job);
        this.error = null;
      } catch (thrown) {
        if (wanted()) this.error = asError(thrown).message;
      }
    });
  }

  receive(event: Extract<AppEvent, { type: "model" | "models" }>): void {
    if (event.type === "model") {
      this.#stand(event.state);
      if (this.page) this.page = { ...this.page, state: event.state };
      return;
    }
    const before = this.page?.job ?? null;
    const { job } = event;
    this.#ended(job);
    if (this.page) this.page = { ...this.page, job };
    // What goes on only counts up; what begins, ends or fails may have changed everything else.
    const goesOn = job && before && job.kind === before.kind && job.model === before.model && !job.failed;
    if (!goesOn && this.page) void this.read();
  }

  /** What was asked about an incident; it is read when nobody has read it yet. */
  conversation(id: string): Conversation {
    const known = this.#conversations.get(id);
    if (known) {
      this.#conversations.delete(id);
      this.#conversations.set(id, known);
      return known;
    }
    const made = new Conversation(this.#backend, id, this.#unsaved, (step) => this.#step(step));
    this.#conversations.set(id, made);
    for (const [oldest, of] of this.#conversations) {
      if (this.#conversations.size <= ModelsStore.KEPT) break;
      if (!of.busy && !of.advising?.on && of.typed.trim() === "") this.#conversations.delete(oldest);
    }
    return made;
  }

  #ended(job: ModelJobDto | null): void {
    // What begins puts what failed before aside.
    if (job) this.failed = job.failed === null ? null : job;
  }

  #stand(state: ModelStateDto): void {
    this.state = state;
    if (state.phase !== "loading") this.loaded = null;
  }

  #step(step: WritingStep): void {
    this.loaded = step.type === "loading" ? step.done : null;
  }
}
