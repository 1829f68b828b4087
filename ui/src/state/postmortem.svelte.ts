import { asError, type Backend } from "../ipc/api";
import type { PostmortemDto } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";
import { Draft } from "./draft.svelte";
import type { Unsaved } from "./unsaved";

/** How long typing must rest before the preview is drawn again. */
const RENDER = 250;

/** The post-mortem of one incident: as the record fills it, or as a person edits it. It outlives the tab it is shown in. */
export class PostmortemStore {
  draft = $state<Draft | null>(null);
  html = $state("");
  error = $state<string | null>(null);
  readonly wait = new Wait();
  #inRecord = $state(false);

  #backend: Backend;
  #id: string;
  #unsaved: Unsaved;
  #render: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(backend: Backend, id: string, unsaved: Unsaved) {
    this.#backend = backend;
    this.#id = id;
    this.#unsaved = unsaved;
  }

  /** A person edited it; until then the record keeps it current. */
  get edited(): boolean {
    return this.#inRecord || (this.draft !== null && (this.draft.dirty || this.draft.state !== "clean"));
  }

  /** Reads it again. What is typed and not saved stays, and so does what is typed while the answer is on its way. */
  async read(): Promise<void> {
    if (this.draft?.dirty) await this.draft.flush();
    const before = this.draft;
    const typed = before?.typed;
    if (before?.dirty) return;
    if (!before) this.error = null;
    await this.wait.for(async (wanted) => {
      try {
        const answer = await this.#backend.postmortem(this.#id);
        if (!wanted()) return;
        if (this.draft === before && before?.typed === typed) this.#take(answer);
        this.error = null;
      } catch (thrown) {
        if (wanted()) this.error = asError(thrown).message;
      }
    });
  }

  /** Throws the edited text away. When that is refused, the text stays and is saved on. */
  async refill(): Promise<void> {
    const old = this.draft;
    await old?.hold();
    try {
      this.#take(await this.#backend.savePostmortem(this.#id, null));
    } catch (thrown) {
      old?.release();
      throw thrown;
    }
  }

  /** `refused` is told why the preview could not be drawn. */
  type(text: string, refused: (why: string) => void): void {
    this.draft?.type(text);
    clearTimeout(this.#render);
    const mine = ++this.#turn;
    this.#render = setTimeout(async () => {
      try {
        const answer = await this.#backend.renderMarkdown(text);
        // Only the newest rendering is shown.
        if (mine === this.#turn) this.html = answer;
      } catch (thrown) {
        refused(asError(thrown).message);
      }
    }, RENDER);
  }

  #take(answer: PostmortemDto): void {
    this.#turn++;
    clearTimeout(this.#render);
    this.#inRecord = answer.edited;
    this.html = answer.html;
    this.#unsaved.set(this, false);
    // The preview and the next save must speak of the same text, so a new draft starts from what was read.
    this.draft = new Draft(
      { text: answer.markdown, at: answer.updated_at },
      async (text) => {
        const saved = await this.#backend.savePostmortem(this.#id, text);
        this.#inRecord = saved.edited;
        return { at: saved.updated_at };
      },
      (is) => this.#unsaved.set(this, is),
    );
  }
}
