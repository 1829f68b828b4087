import { asError, type Backend } from "../ipc/api";
import type { AppEvent, Inbox, IncidentSummary, SilenceDto } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";
import { NONE, type Filter } from "./filter";
import { Follower, GIVEN_UP } from "./live";

type IncidentEvent = Extract<AppEvent, { type: "incident" }>;

/** Rows that are asked for twice where a list comes in parts. */
const OVERLAP = 20;

/** The rows of the inbox, held true by revision. */
export class InboxStore {
  incidents = $state.raw<IncidentSummary[]>([]);
  /** What of it is shown. It outlives the screen, so that coming back finds the list as it was left. */
  filter = $state.raw<Filter>(NONE);
  /** Chosen for merging or exporting, by id. */
  chosen = $state.raw<readonly string[]>([]);
  silences = $state<SilenceDto[]>([]);
  loaded = $state(false);
  /** The rest of a long list is being read. */
  reading = $state(false);
  /** What is shown is the beginning of a list whose rest did not come. */
  partial = $state(false);
  error = $state<string | null>(null);
  readonly wait = new Wait();
  /** Told of every incident that was not there, or not open, a moment ago. */
  onopened: (incident: IncidentSummary) => void = () => {};

  /** Told of every whole list: it may hold what no change told of. */
  onlisted: (incidents: IncidentSummary[]) => void = () => {};

  #backend: Backend;
  #follower: Follower<Inbox, IncidentEvent>;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#follower = new Follower<Inbox, IncidentEvent>({
      list: () =>
        new Promise((done, fail) => {
          this.wait.onstop = () => fail(GIVEN_UP);
          this.wait.for((wanted) => this.#read(wanted)).then(done, fail);
        }),
      replace: (inbox) => {
        this.incidents = inbox.incidents;
        const there = new Set(inbox.incidents.map((i) => i.id));
        this.chosen = this.chosen.filter((id) => there.has(id));
        this.loaded = true;
        this.onlisted(inbox.incidents);
      },
      apply: ({ incident }) => this.#put(incident),
      failed: (error) => (this.error = error === null ? null : asError(error).message),
    });
  }

  get open(): number {
    return this.incidents.filter((i) => i.state !== "resolved").length;
  }

  byId(id: string): IncidentSummary | undefined {
    return this.incidents.find((i) => i.id === id);
  }

  /** Chooses it for merging or exporting, or no longer. */
  choose(id: string): void {
    this.chosen = this.chosen.includes(id) ? this.chosen.filter((c) => c !== id) : [...this.chosen, id];
  }

  receive(event: IncidentEvent): void {
    this.#follower.push(event);
  }

  async list(): Promise<void> {
    await Promise.all([this.#follower.list(), this.listSilences()]);
  }

  async listSilences(): Promise<void> {
    try {
      this.silences = await this.#backend.silences();
    } catch {
      // The list itself says that the record cannot be read; a second notice would say the same.
    }
  }

  /** All of it, part by part. The first ones are shown before the last ones have come. */
  async #read(wanted: () => boolean): Promise<Inbox> {
    const first = await this.#backend.inbox(0);
    if (!wanted()) throw GIVEN_UP;
    const rows = new Map(first.incidents.map((i) => [i.id, i]));
    let asked = first.incidents.length;
    try {
      for (let part = first; part.more; asked += part.incidents.length) {
        if (!this.loaded || this.reading || this.partial) {
          this.incidents = [...rows.values()];
          this.loaded = this.reading = true;
        }
        // A row that is gone meanwhile moves the others: the last ones are asked for once more.
        part = await this.#backend.inbox((asked = Math.max(0, asked - OVERLAP)));
        // What is written meanwhile moves the others; it is told of as a change once the list is whole.
        for (const i of part.incidents) rows.set(i.id, i);
      }
      this.partial = false;
    } catch (error) {
      this.partial = this.partial || this.reading;
      throw error;
    } finally {
      this.reading = false;
    }
    return { revision: first.revision, incidents: [...rows.values()], more: false };
  }

  stop(): void {
    this.#follower.stop();
  }

  #put(incident: IncidentSummary): void {
    const before = this.byId(incident.id);
    this.incidents = before
      ? this.incidents.map((i) => (i.id === incident.id ? incident : i))
      : [incident, ...this.incidents];
    if (incident.state === "open" && before?.state !== "open") this.onopened(incident);
  }
}
