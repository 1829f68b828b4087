import { asError, type Backend, type PostmortemOrigin } from "../ipc/api";
import type {
  CitationsDto,
  PostmortemDto,
  PostmortemStatusDto,
  SectionHeadingDto,
  SentenceDto,
  ShapeDto,
} from "../ipc/types";
import { allMarked, still } from "../postmortem/checks";
import { Wait } from "../shared/wait.svelte";
import { Draft } from "./draft.svelte";
import type { Unsaved } from "./unsaved";

/** How long typing must rest before the preview is drawn and the citations are checked again. */
const RENDER = 250;

/** The post-mortem of one incident: as the record fills it, or as a person edits it. It outlives the tab it is shown in. */
export class PostmortemStore {
  draft = $state<Draft | null>(null);
  html = $state("");
  status = $state.raw<PostmortemStatusDto>({ status: "draft", at: null, by: null });
  shape = $state("house");
  shapes = $state.raw<ShapeDto[]>([]);
  /** Under which headings sections of the record stand. */
  sections = $state.raw<SectionHeadingDto[]>([]);
  error = $state<string | null>(null);
  readonly wait = new Wait();
  #inRecord = $state(false);
  /** What was checked last, and the text it was checked in. */
  #checked = $state.raw<{ text: string; citations: CitationsDto }>({
    text: "",
    citations: { sentences: [], replaced: 0 },
  });

  #backend: Backend;
  #id: string;
  #unsaved: Unsaved;
  #render: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;
  #origin: PostmortemOrigin = "typed";

  constructor(backend: Backend, id: string, unsaved: Unsaved) {
    this.#backend = backend;
    this.#id = id;
    this.#unsaved = unsaved;
  }

  /** A person edited it; until then the record keeps it current. */
  get edited(): boolean {
    return this.#inRecord || (this.draft !== null && (this.draft.dirty || this.draft.state !== "clean"));
  }

  get reviewed(): boolean {
    return this.status.status === "reviewed";
  }

  /** What its sentences rest on, as far as that still holds for the text as it stands. */
  get citations(): CitationsDto {
    const { text, citations } = this.#checked;
    return { ...citations, sentences: this.draft ? still(this.draft.text, text, citations) : [] };
  }

  /** The sentences as the preview that is shown has them. */
  get checked(): SentenceDto[] {
    return this.#checked.citations.sentences;
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

  /** Puts the edited text aside. When that is refused, the text stays and is saved on. */
  refill(): Promise<void> {
    return this.#replace(() => this.#backend.savePostmortem(this.#id, null, "filled"));
  }

  /** Puts an earlier version back; `null` is one the record filled. */
  restore(markdown: string | null): Promise<void> {
    return this.#replace(() => this.#backend.savePostmortem(this.#id, markdown, "restored"));
  }

  reshape(shape: string): Promise<void> {
    return this.#replace(() => this.#backend.setPostmortemShape(this.#id, shape));
  }

  /** Nothing typed is given up for it: it is saved before, and what is typed meanwhile stays. */
  async setStatus(status: string): Promise<void> {
    const { draft } = this;
    await this.#kept();
    const typed = draft?.typed;
    const answer = await this.#backend.setPostmortemStatus(this.#id, status);
    if (this.draft === draft && draft?.typed === typed) return this.#take(answer);
    this.#inRecord = answer.edited;
    this.status = answer.status;
  }

  /** `refused` is told why the preview could not be drawn. */
  type(text: string, refused: (why: string) => void): void {
    this.draft?.type(text);
    clearTimeout(this.#render);
    const mine = ++this.#turn;
    this.#render = setTimeout(async () => {
      try {
        const answer = await this.#backend.previewPostmortem(this.#id, text);
        // Only the newest rendering is shown.
        if (mine !== this.#turn) return;
        this.html = answer.html;
        this.sections = answer.sections;
        this.#checked = { text, citations: answer.citations };
      } catch (thrown) {
        refused(asError(thrown).message);
      }
    }, RENDER);
  }

  /** Cites an item where the caret was last. */
  cite(id: string, refused: (why: string) => void): void {
    this.draft?.insert(`[${id}]`);
    this.type(this.draft?.text ?? "", refused);
  }

  /** The text to be given away: as the record has it, without what is taken out on the way there, and marked. */
  async leaving(): Promise<string> {
    await this.#kept();
    const { markdown, citations } = await this.#backend.postmortem(this.#id);
    return allMarked(markdown, citations);
  }

  /** Saves what stands there now as a version of its own. */
  async keepAs(origin: PostmortemOrigin): Promise<void> {
    this.#origin = origin;
    try {
      await this.draft?.flush();
    } finally {
      this.#origin = "typed";
    }
  }

  /** Settles once what is typed here is in the record. */
  async #kept(): Promise<void> {
    const { draft } = this;
    await draft?.flush();
    if (draft?.dirty) throw new Error(`The text that stands here is not saved: ${draft.error}`);
  }

  async #replace(by: () => Promise<PostmortemDto>): Promise<void> {
    const old = this.draft;
    await this.#kept();
    await old?.hold();
    try {
      this.#take(await by());
    } catch (thrown) {
      old?.release();
      throw thrown;
    }
  }

  #take(answer: PostmortemDto): void {
    this.#turn++;
    clearTimeout(this.#render);
    this.#inRecord = answer.edited;
    this.html = answer.html;
    this.#checked = { text: answer.markdown, citations: answer.citations };
    this.status = answer.status;
    this.shape = answer.shape;
    this.shapes = answer.shapes;
    this.sections = answer.sections;
    this.#unsaved.set(this, false);
    // The preview and the next save must speak of the same text, so a new draft starts from what was read.
    const draft = new Draft(
      { text: answer.markdown, at: answer.updated_at },
      async (text) => {
        const saved = await this.#backend.savePostmortem(this.#id, text, this.#origin);
        this.#inRecord = saved.edited;
        this.status = saved.status;
        return { at: saved.updated_at };
      },
      (is) => this.#unsaved.set(this, is),
    );
    if (this.draft) draft.succeed(this.draft);
    this.draft = draft;
  }
}
