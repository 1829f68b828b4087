import { asError, type Backend } from "../ipc/api";
import type { EvidenceDto, IncidentPage, NotesDto } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";
import { Draft } from "./draft.svelte";
import { PostmortemStore } from "./postmortem.svelte";
import type { Unsaved } from "./unsaved";

/** One item of evidence with its excerpt, as far as it was read. */
class Item {
  item = $state.raw<EvidenceDto | null>(null);
  error = $state<string | null>(null);
  readonly wait = new Wait();
}

/** One incident as it is open in the window: its page, its notes, its post-mortem, the evidence read so far. */
export class PageStore {
  readonly id: string;
  page = $state.raw<IncidentPage | null>(null);
  error = $state<{ message: string; code: string | null } | null>(null);
  notes = $state<Draft | null>(null);
  evidence = $state<Record<string, Item>>({});
  readonly wait = new Wait();
  readonly postmortem: PostmortemStore;
  /** An entry that was begun and not added. */
  #entry = $state("");

  #backend: Backend;
  #unsaved: Unsaved;
  #again = false;

  constructor(backend: Backend, id: string, unsaved: Unsaved) {
    this.#backend = backend;
    this.#unsaved = unsaved;
    this.id = id;
    this.postmortem = new PostmortemStore(backend, id, unsaved);
  }

  get entry(): string {
    return this.#entry;
  }

  set entry(text: string) {
    this.#entry = text;
    this.#unsaved.set(this, text.trim() !== "");
  }

  /** Something typed here is not in the record. */
  get dirty(): boolean {
    return this.entry.trim() !== "" || (this.notes?.dirty ?? false) || (this.postmortem.draft?.dirty ?? false);
  }

  /** Saves whatever was typed. */
  async flush(): Promise<void> {
    await Promise.all([this.notes?.flush(), this.postmortem.draft?.flush()]);
  }

  /** Reads the page again; calls while it is being read make one more follow. */
  async read(): Promise<void> {
    if (this.wait.since !== null) {
      this.#again = true;
      return;
    }
    // Where nothing is shown yet, the wait takes the place of what went wrong.
    if (!this.page) this.error = null;
    await this.wait.for(async (wanted) => {
      try {
        const page = await this.#backend.incidentPage(this.id);
        if (!wanted()) return;
        // An answer that was overtaken by a newer one is dropped.
        if (!this.page || page.incident.revision >= this.page.incident.revision) this.page = page;
        this.error = null;
        const { text, updated_at, version } = page.notes;
        if (this.notes) this.notes.adopt(text, updated_at, version);
        else this.notes = this.#draft(page.notes);
      } catch (thrown) {
        if (!wanted()) return;
        const { message, code } = asError(thrown);
        this.error = { message, code };
      }
    });
    if (this.#again && !this.wait.stopped) {
      this.#again = false;
      await this.read();
    }
  }

  /** An excerpt is immutable: it is read once. */
  async readEvidence(item: string): Promise<void> {
    const held = (this.evidence[item] ??= new Item());
    if (held.item || held.wait.since !== null) return;
    held.error = null;
    await held.wait.for(async (wanted) => {
      try {
        const answer = await this.#backend.evidenceItem(this.id, item);
        if (wanted()) held.item = answer;
      } catch (thrown) {
        if (wanted()) held.error = asError(thrown).message;
      }
    });
  }

  #draft({ text, updated_at, version }: NotesDto): Draft {
    const holder = {};
    return new Draft(
      { text, at: updated_at, version },
      async (typed) => {
        const saved = await this.#backend.saveNotes(this.id, typed);
        return { at: saved.updated_at, version: saved.version };
      },
      (is) => this.#unsaved.set(holder, is),
    );
  }
}

/** The pages that were looked at lately, so that going through the list paints at once. */
export class Pages {
  #backend: Backend;
  #open = new Map<string, PageStore>();
  #unsaved: Unsaved;
  static readonly KEPT = 24;

  constructor(backend: Backend, unsaved: Unsaved) {
    this.#backend = backend;
    this.#unsaved = unsaved;
  }

  /** The page of this incident; it is read when nobody has read it yet. */
  get(id: string): PageStore {
    const known = this.#open.get(id);
    if (known) {
      this.#open.delete(id);
      this.#open.set(id, known);
      return known;
    }
    const store = new PageStore(this.#backend, id, this.#unsaved);
    this.#open.set(id, store);
    void store.read();
    for (const [oldest, page] of this.#open) {
      if (this.#open.size <= Pages.KEPT) break;
      if (!page.dirty) this.#open.delete(oldest);
    }
    return store;
  }

  /** Something about it changed: read it again if it is held here. */
  changed(id: string): void {
    const held = this.#open.get(id);
    if (held) void held.read();
  }

  /** The cluster came into sight or went out of it: where nothing was recorded has changed. */
  changedCluster(name: string): void {
    for (const page of this.#open.values()) if (page.page?.incident.cluster === name) void page.read();
  }

  /** Reads again what is held here in an older state than the list knows. */
  readOlder(incidents: readonly { id: string; revision: number }[]): void {
    for (const { id, revision } of incidents) {
      const held = this.#open.get(id)?.page?.incident.revision;
      if (held !== undefined && held < revision) this.changed(id);
    }
  }

  /** Saves whatever was typed anywhere. */
  async flush(): Promise<void> {
    await Promise.all([...this.#open.values()].map((page) => page.flush()));
  }
}
