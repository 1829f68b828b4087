// The assistant of the made-up program: it reads, writes word by word and can be stopped, and keeps a few models.
import { BackendError, type Backend, type Drop, type OnStep } from "./backend";
import { advice, answered, answeredByRules, reworded } from "./story/answers";
import { catalogue, exam, installed } from "./story/models";
import type {
  AppEvent,
  ExchangeDto,
  IncidentDto,
  ModelJobDto,
  ModelsPage,
  ModelStateDto,
  WordedSection,
  WritingDto,
  WritingStep,
} from "./types";

/** What the assistant needs of the program around it. */
interface Around {
  now(): number;
  emit(event: AppEvent): void;
  find(id: string): IncidentDto;
  /** Takes as long as every answer takes, and refuses where the method is to refuse. */
  pass(method: keyof Backend): Promise<void>;
}

/** Something that is being written: its steps and its end can be played by hand. */
interface Run {
  writing: string;
  step: OnStep;
  end: () => void;
  fail: (error: BackendError) => void;
}

const SERVER = { url: "http://localhost:8080/v1", model: "qwen3-8b", has_key: false, chosen: false, local: true };

export class FakeAssistant {
  page: ModelsPage;
  kept = new Map<string, ExchangeDto[]>();
  /** Milliseconds between two steps; `null`: they are played by hand, with `run`. */
  pace: number | null = 0;
  run: Run | null = null;
  cancelled: string[] = [];
  /** What came in by the last call that takes a path or a key. */
  imported: (string | null)[] = [];
  keys: (string | null)[] = [];
  /** What is asked over the made-up dialog for a file. */
  changesMind = false;
  #drops = new Set<(drop: Drop) => void>();
  #around: Around;

  constructor(around: Around, phase = "idle") {
    this.#around = around;
    this.page = {
      state: { name: "Qwen3-4B Instruct", server: null, phase, problem: null },
      memory_bytes: 16_000_000_000,
      memory_free_bytes: 9_100_000_000,
      threads: 7,
      processor_fits: true,
      folder: "/home/mara/.local/share/afterwatch/models",
      installed: installed(),
      catalogue: catalogue(),
      server: null,
      job: null,
    };
    if (phase === "none" || phase === "no-avx") this.clear();
    if (phase === "no-avx") this.page = { ...this.page, processor_fits: false };
    if (phase === "unusable")
      this.#is({
        phase,
        problem: "It needs 3.6 GB of memory, 1.2 GB are free. Close something, or choose a smaller model.",
      });
    if (phase === "server") {
      this.page = {
        ...this.page,
        installed: this.page.installed.map((m) => ({ ...m, chosen: false })),
        server: { ...SERVER, url: "https://llm.acme.example/v1", local: false, chosen: true, has_key: true },
      };
      this.#is({ name: "qwen3-8b", server: "https://llm.acme.example/v1", phase: "ready" });
    }
  }

  /** No model file is here. */
  clear(): void {
    this.page = {
      ...this.page,
      installed: [],
      catalogue: this.page.catalogue.map((m) => ({ ...m, installed: null })),
      state: { name: null, server: null, phase: "none", problem: null },
    };
  }

  #is(change: Partial<ModelStateDto>): void {
    this.page = { ...this.page, state: { ...this.page.state, ...change } };
  }

  /** The model stands otherwise, and the window is told. */
  stand(change: Partial<ModelStateDto>): void {
    this.#is(change);
    this.#around.emit({ type: "model", state: this.page.state });
  }

  work(job: ModelJobDto | null): void {
    this.page = { ...this.page, job };
    this.#around.emit({ type: "models", job });
  }

  drop(drop: Drop): void {
    for (const receive of this.#drops) receive(drop);
  }

  ask = async (id: string, question: string, useModel: boolean, writing: string, onStep: OnStep) => {
    await this.#around.pass("ask");
    const incident = this.#around.find(id);
    const answer = await this.#write(useModel, writing, onStep, incident, answered(question), () =>
      answeredByRules(incident, question),
    );
    const exchange: ExchangeDto = {
      id: `x${Math.max(0, ...this.#of(id).map((e) => Number(e.id.slice(1)))) + 1}`,
      asked_at: new Date(this.#around.now()).toISOString(),
      question,
      answer,
    };
    this.kept.set(incident.id, [...this.#of(incident.id), exchange]);
    return structuredClone(exchange);
  };

  cancelWriting = async (writing: string) => {
    await this.#around.pass("cancelWriting");
    this.cancelled.push(writing);
    if (this.run?.writing === writing) this.run.fail(new BackendError("It was cancelled.", "cancelled"));
  };

  exchanges = async (id: string): Promise<ExchangeDto[]> => {
    await this.#around.pass("exchanges");
    return structuredClone(this.#of(id));
  };

  forgetExchange = async (id: string, exchange: string) => {
    await this.#around.pass("forgetExchange");
    this.kept.set(
      id,
      this.#of(id).filter((e) => e.id !== exchange),
    );
  };

  advise = async (id: string, useModel: boolean, writing: string, onStep: OnStep): Promise<WritingDto> => {
    await this.#around.pass("advise");
    const incident = this.#around.find(id);
    return this.#write(useModel, writing, onStep, incident, advice(incident, true), () => advice(incident, false));
  };

  wordSection = async (
    id: string,
    section: string,
    useModel: boolean,
    writing: string,
    onStep: OnStep,
  ): Promise<WordedSection> => {
    await this.#around.pass("wordSection");
    const incident = this.#around.find(id);
    const worded = reworded(section);
    const by = await this.#write(useModel, writing, onStep, incident, worded.writing, () => ({
      ...worded.writing,
      by: "rules",
      model: null,
    }));
    return { ...worded, writing: by };
  };

  modelState = async () => {
    await this.#around.pass("modelState");
    return structuredClone(this.page.state);
  };

  models = async () => {
    await this.#around.pass("models");
    return structuredClone(this.page);
  };

  importModel = async (path: string | null) => {
    await this.#around.pass("importModel");
    if (this.changesMind && path === null) return false;
    this.imported.push(path);
    const model = (path ?? "/home/mara/Downloads/Qwen3-8B-Q4_K_M.gguf").split(/[/\\]/).at(-1) ?? "";
    this.work({ kind: "import", model, done: 0, all: 5_030_000_000, unit: "bytes", left_s: 41, failed: null });
    return true;
  };

  downloadModel = async (id: string) => {
    await this.#around.pass("downloadModel");
    const all = this.page.catalogue.find((m) => m.id === id)?.size_bytes ?? 0;
    this.work({ kind: "download", model: id, done: 0, all, unit: "bytes", left_s: null, failed: null });
  };

  cancelModelJob = async () => {
    await this.#around.pass("cancelModelJob");
    this.work(null);
  };

  removeModel = async (id: string) => {
    await this.#around.pass("removeModel");
    const gone = this.page.installed.find((m) => m.id === id);
    this.page = { ...this.page, installed: this.page.installed.filter((m) => m.id !== id) };
    if (gone?.chosen) this.stand({ name: null, phase: "none" });
    this.work(null);
  };

  chooseModel = async (id: string | null) => {
    await this.#around.pass("chooseModel");
    this.page = {
      ...this.page,
      installed: this.page.installed.map((m) => ({ ...m, chosen: m.id === id })),
      server: this.page.server && { ...this.page.server, chosen: false },
    };
    const chosen = this.page.installed.find((m) => m.id === id);
    this.stand({ name: chosen?.name ?? null, server: null, phase: chosen ? "idle" : "none", problem: null });
  };

  testModel = async (id: string) => {
    await this.#around.pass("testModel");
    this.work({ kind: "exam", model: id, done: 0, all: 24, unit: "incidents", left_s: null, failed: null });
  };

  /** The exam comes to its end. */
  examined(id: string): void {
    this.page = {
      ...this.page,
      installed: this.page.installed.map((m) => (m.id === id ? { ...m, exam: exam(this.#around.now()) } : m)),
    };
    this.work(null);
  }

  setModelServer = async (url: string, model: string, key: string | null) => {
    await this.#around.pass("setModelServer");
    this.keys.push(key);
    const has_key = key !== null || (this.page.server?.has_key ?? false);
    const local = url.includes("localhost");
    this.page = { ...this.page, server: { url, model, has_key, local, chosen: this.page.server?.chosen ?? false } };
  };

  forgetModelServer = async () => {
    await this.#around.pass("forgetModelServer");
    const chosen = this.page.server?.chosen;
    this.page = { ...this.page, server: null };
    if (chosen) this.stand({ name: null, server: null, phase: "none" });
  };

  chooseModelServer = async () => {
    await this.#around.pass("chooseModelServer");
    const { server } = this.page;
    if (!server) throw new BackendError("No server is set.");
    this.page = {
      ...this.page,
      server: { ...server, chosen: true },
      installed: this.page.installed.map((m) => ({ ...m, chosen: false })),
    };
    this.stand({ name: server.model, server: server.url, phase: "ready", problem: null });
  };

  tryModelServer = async (_url: string, model: string, key: string | null) => {
    await this.#around.pass("tryModelServer");
    this.keys.push(key);
    return `${model} answered after 0.4 s, 31 tokens a second.`;
  };

  listenDrops = (receive: (drop: Drop) => void) => {
    this.#drops.add(receive);
    return Promise.resolve(() => void this.#drops.delete(receive));
  };

  #of(id: string): ExchangeDto[] {
    return this.kept.get(id) ?? [];
  }

  async #write(
    useModel: boolean,
    writing: string,
    step: OnStep,
    incident: IncidentDto,
    byModel: WritingDto,
    byRules: () => WritingDto,
  ): Promise<WritingDto> {
    const { phase, problem } = this.page.state;
    if (!useModel) return byRules();
    if (phase === "none") return { ...byRules(), instead: "No model is chosen." };
    if (phase === "unusable") return { ...byRules(), instead: problem };
    const before = phase;
    this.stand({ phase: "busy" });
    try {
      return await new Promise<WritingDto>((done, refuse) => {
        this.run = { writing, step, end: () => done(byModel), fail: refuse };
        if (this.pace !== null) void this.#play(this.run, this.pace, incident, byModel, before === "idle");
      });
    } finally {
      this.run = null;
      this.stand({ phase: "ready" });
    }
  }

  /** Plays the steps as a small laptop would take them. */
  async #play(run: Run, pace: number, incident: IncidentDto, writing: WritingDto, cold: boolean): Promise<void> {
    const tell = async (step: WritingStep, times = 1) => {
      if (this.run !== run) return;
      run.step(step);
      if (pace > 0) await new Promise((done) => setTimeout(done, pace * times));
    };
    if (cold) for (const done of [0, 0.3, 0.7, 1]) await tell({ type: "loading", done }, 6);
    const items = incident.evidence.length + incident.changes.length;
    for (const done of [0, 640, 1280, 2010]) await tell({ type: "reading", done, all: 2010, items }, 10);
    const words =
      writing.statements
        .map((s) => s.text)
        .join(" ")
        .match(/\S+\s*/g) ?? [];
    for (const more of words) await tell({ type: "words", more, tokens_per_second: 9.2 });
    run.end();
  }
}

/** The made-up program as far as it is the assistant; the rest of it says what time it is and which incidents there are. */
export abstract class WithAssistant implements Around {
  readonly assistant: FakeAssistant;

  constructor(phase: string) {
    this.assistant = new FakeAssistant(this, phase);
  }

  abstract now(): number;
  abstract emit(event: AppEvent): void;
  abstract find(id: string): IncidentDto;
  abstract pass(method: keyof Backend): Promise<void>;

  ask: Backend["ask"] = (...args) => this.assistant.ask(...args);
  cancelWriting: Backend["cancelWriting"] = (writing) => this.assistant.cancelWriting(writing);
  exchanges: Backend["exchanges"] = (id) => this.assistant.exchanges(id);
  forgetExchange: Backend["forgetExchange"] = (...args) => this.assistant.forgetExchange(...args);
  advise: Backend["advise"] = (...args) => this.assistant.advise(...args);
  wordSection: Backend["wordSection"] = (...args) => this.assistant.wordSection(...args);
  modelState: Backend["modelState"] = () => this.assistant.modelState();
  models: Backend["models"] = () => this.assistant.models();
  importModel: Backend["importModel"] = (path) => this.assistant.importModel(path);
  downloadModel: Backend["downloadModel"] = (id) => this.assistant.downloadModel(id);
  cancelModelJob: Backend["cancelModelJob"] = () => this.assistant.cancelModelJob();
  removeModel: Backend["removeModel"] = (id) => this.assistant.removeModel(id);
  chooseModel: Backend["chooseModel"] = (id) => this.assistant.chooseModel(id);
  testModel: Backend["testModel"] = (id) => this.assistant.testModel(id);
  setModelServer: Backend["setModelServer"] = (...args) => this.assistant.setModelServer(...args);
  forgetModelServer: Backend["forgetModelServer"] = () => this.assistant.forgetModelServer();
  chooseModelServer: Backend["chooseModelServer"] = () => this.assistant.chooseModelServer();
  tryModelServer: Backend["tryModelServer"] = (...args) => this.assistant.tryModelServer(...args);
  listenDrops: Backend["listenDrops"] = (receive) => this.assistant.listenDrops(receive);
}
