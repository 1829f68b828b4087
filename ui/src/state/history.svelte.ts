import { asError, type Backend } from "../ipc/api";
import type { HistoryInsights, HistoryPage, HistoryQuery, HistoryRow } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";

/** After a key press, until it is searched. */
const TYPING = 180;
/** After a change of the record, until what is shown is read again. */
const SETTLE = 2_000;
/** Rows that are asked for at once. */
export const PART = 200;

/** What is looked for in the history, and what was found. It outlives the screen, so that coming back shows the same. */
export class HistoryStore {
  search = $state("");
  cluster = $state<string | null>(null);
  severity = $state<string | null>(null);
  days = $state<number | null>(365);
  /** The newest answer: its counts belong to the rows that are shown. */
  page = $state.raw<HistoryPage | null>(null);
  insights = $state.raw<HistoryInsights | null>(null);
  error = $state<string | null>(null);
  insightsError = $state<string | null>(null);
  /** For the search. Once it was given up, what is shown is older than what is looked for. */
  readonly wait = new Wait();

  #backend: Backend;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stale: ReturnType<typeof setTimeout> | undefined;
  #parts = $state.raw(new Map<number, readonly HistoryRow[]>());
  #asked = new Set<number>();
  #open = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The screen is shown. What was found before is painted at once and read again. */
  open(): () => void {
    this.#open = true;
    void this.read();
    return () => {
      this.#open = false;
      clearTimeout(this.#stale);
      this.#stale = undefined;
    };
  }

  /** Looks for what was typed once the typing pauses. */
  type(text: string): void {
    this.search = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.read(), TYPING);
  }

  choose(change: { cluster?: string | null; severity?: string | null; days?: number | null }): void {
    if (change.cluster !== undefined) this.cluster = change.cluster;
    if (change.severity !== undefined) this.severity = change.severity;
    if (change.days !== undefined) this.days = change.days;
    void this.read();
  }

  get narrowed(): boolean {
    return this.search.trim() !== "" || this.cluster !== null || this.severity !== null;
  }

  clear(): void {
    this.search = "";
    this.choose({ cluster: null, severity: null });
  }

  /** The record changed: what is in sight is read again, a little later and at most once for many changes. */
  changed(): void {
    if (!this.#open || this.#stale !== undefined) return;
    this.#stale = setTimeout(() => {
      this.#stale = undefined;
      void this.read();
    }, SETTLE);
  }

  async read(): Promise<void> {
    clearTimeout(this.#timer);
    const query = this.#query(0);
    await this.wait.for((wanted) => {
      const list = this.#backend.history(query).then(
        (page) => {
          if (!wanted()) return;
          this.page = page;
          this.error = null;
          this.#asked = new Set([0]);
          this.#parts = new Map([[0, page.incidents]]);
        },
        (thrown: unknown) => {
          if (wanted()) this.error = asError(thrown).message;
        },
      );
      const figures = this.#backend.historyInsights(query).then(
        (insights) => {
          if (!wanted()) return;
          this.insights = insights;
          this.insightsError = null;
        },
        (thrown: unknown) => {
          if (wanted()) this.insightsError = asError(thrown).message;
        },
      );
      return Promise.all([list, figures]);
    });
  }

  /** A row of the list, or nothing while its part is on its way. */
  at(index: number): HistoryRow | undefined {
    return this.#parts.get(Math.floor(index / PART))?.[index % PART];
  }

  /** A row is in sight: its part is asked for if nobody has asked yet. */
  async need(index: number): Promise<void> {
    const part = Math.floor(index / PART);
    if (this.#asked.has(part)) return;
    const asked = this.#asked;
    asked.add(part);
    try {
      const page = await this.#backend.history(this.#query(part * PART));
      if (asked === this.#asked) this.#parts = new Map(this.#parts).set(part, page.incidents);
    } catch (thrown) {
      asked.delete(part);
      if (asked === this.#asked) this.error = asError(thrown).message;
    }
  }

  #query(offset: number): HistoryQuery {
    return {
      search: this.search.trim() || null,
      cluster: this.cluster,
      severity: this.severity,
      days: this.days,
      offset,
      limit: PART,
    };
  }
}
