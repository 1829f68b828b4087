import type {
  AppEvent,
  AppInfo,
  AppearanceSettings,
  ChoicesDto,
  ClustersPage,
  Diagnostics,
  EvidenceDto,
  ExchangeDto,
  ExportedDto,
  HistoryInsights,
  HistoryPage,
  HistoryQuery,
  IgnoreRequest,
  Inbox,
  IncidentPage,
  InspectionDto,
  ModelsPage,
  ModelStateDto,
  NotesDto,
  NotificationSettings,
  PostmortemDto,
  PostmortemVersionDto,
  PreviewDto,
  RetentionSettings,
  SettingsPage,
  SilenceDto,
  StoryDto,
  WordedSection,
  WritingDto,
  WritingStep,
} from "./types";

/** Is told how far something that is being written is. */
export type OnStep = (step: WritingStep) => void;

/** Files that are dragged over the window, dropped on it (with their paths), or taken away again. */
export type Drop = { type: "over" } | { type: "drop"; paths: string[] } | { type: "leave" };
/** Why a version of the post-mortem is saved. */
export type PostmortemOrigin = "typed" | "restored" | "filled" | "worded";

/** Everything the window may ask of the program. Each method is one Tauri command of the same name in snake case. */
export interface Backend {
  /** A part of the inbox, from so many rows on. */
  inbox(offset: number): Promise<Inbox>;
  incidentPage(id: string): Promise<IncidentPage>;
  /** One item with its excerpt. */
  evidenceItem(id: string, evidence: string): Promise<EvidenceDto>;

  acknowledge(id: string): Promise<void>;
  resolve(id: string, reason: string | null): Promise<void>;
  reopen(id: string): Promise<void>;
  addEntry(id: string, text: string): Promise<void>;
  saveNotes(id: string, text: string): Promise<NotesDto>;
  /** Earlier versions, newest first. */
  notesHistory(id: string): Promise<NotesDto[]>;

  /** What the others recorded goes on in `into`. */
  mergeIncidents(into: string, others: string[]): Promise<void>;
  /** Findings, by fingerprint, become an incident of their own; the answer is its id. */
  splitIncident(id: string, findings: string[]): Promise<string>;
  /** Closes it, and remembers its rules and its workload: they open nothing any more until that is taken back. */
  notAnIncident(id: string, reason: string | null): Promise<void>;
  /** For ever, with everything recorded and written under it. */
  deleteIncident(id: string): Promise<void>;
  /** `null` takes the link away. */
  setTicket(id: string, url: string | null): Promise<void>;

  silence(id: string, minutes: number, reason: string): Promise<void>;
  silences(): Promise<SilenceDto[]>;
  unsilence(silence: string): Promise<void>;

  postmortem(id: string): Promise<PostmortemDto>;
  /** `null` puts a person's text aside, among the versions, and lets the record fill it again. */
  savePostmortem(id: string, markdown: string | null, origin: PostmortemOrigin): Promise<PostmortemDto>;
  /** A text that is being typed: as sanitised HTML, and what its sentences rest on. */
  previewPostmortem(id: string, markdown: string): Promise<PreviewDto>;
  /** Every version, the current one included, newest first. */
  postmortemVersions(id: string): Promise<PostmortemVersionDto[]>;
  /** `draft`, `in_review` or `reviewed`. */
  setPostmortemStatus(id: string, status: string): Promise<PostmortemDto>;
  /** A person's text makes room for the draft in the new shape, and stays among the versions. */
  setPostmortemShape(id: string, shape: string): Promise<PostmortemDto>;
  /** The body of a section as the record fills it, by the section's id. */
  postmortemSection(id: string, section: string): Promise<string>;
  /** Asks where by the system's dialog and writes `pdf`, `html` or `md` there; `null` when the person changed their mind. */
  exportPostmortem(id: string, markdown: string, format: string, frontMatter: boolean): Promise<ExportedDto | null>;
  /** Opens a file that was written from this window, or shows it in the system's file browser. */
  openExported(path: string): Promise<void>;
  showExported(path: string): Promise<void>;
  /** A few lines of Markdown for a chat. */
  chatSummary(id: string, markdown: string): Promise<string>;
  /** Asks where by the system's dialog; the path it was written to, or `null` when the person changed their mind. */
  saveMarkdownFile(id: string, markdown: string): Promise<string | null>;
  copyText(text: string): Promise<void>;

  clusters(): Promise<ClustersPage>;
  watchCluster(name: string, watched: boolean): Promise<void>;
  retryCluster(name: string): Promise<void>;
  setPaused(paused: boolean): Promise<void>;
  /** Reads the kubeconfig files and the login shell's environment again. */
  reloadEnvironment(): Promise<void>;

  /** What can be looked into whose kind, namespace and name hold the words, in the clusters that are watched. */
  workloadChoices(text: string): Promise<ChoicesDto>;
  /** Looks into one, healthy or not. Cancelled by its name (`writing`) as what is written. */
  inspectWorkload(
    cluster: string,
    kind: string,
    namespace: string | null,
    name: string,
    writing: string,
  ): Promise<InspectionDto>;

  /** `production`, `read_only` or none. */
  setClusterMark(name: string, mark: string | null): Promise<void>;

  history(query: HistoryQuery): Promise<HistoryPage>;
  historyInsights(query: HistoryQuery): Promise<HistoryInsights>;

  settings(): Promise<SettingsPage>;
  setNotifications(notifications: NotificationSettings): Promise<void>;
  setRule(id: string, on: boolean, holdS: number | null, threshold: number | null): Promise<void>;
  ignore(request: IgnoreRequest): Promise<void>;
  unignore(id: string): Promise<void>;
  setRetention(retention: RetentionSettings): Promise<void>;
  setAppearance(appearance: AppearanceSettings): Promise<void>;
  /** Shows one; fails with the reason where none can be shown. */
  testNotification(): Promise<void>;
  /** Writes a copy of the history and says where. */
  backUp(): Promise<string>;
  /** Shows the folder of the history in the system's file browser. */
  openDataFolder(): Promise<void>;

  /** What `doctor` says. May take as long as the slowest cluster. */
  diagnostics(): Promise<Diagnostics>;

  /** Something typed is in this window alone: it must not be destroyed, nor the program quit, without asking. */
  setUnsaved(unsaved: boolean): Promise<void>;

  /** Whether the program starts at login, hidden in the tray. */
  autostart(): Promise<boolean>;
  setAutostart(on: boolean): Promise<void>;

  /** The recorded incidents that come with the program. */
  drills(): Promise<StoryDto[]>;
  /** Plays one, or a file the system's dialog asks for (`null`); the page is loaded anew. False: nothing was chosen. */
  startDrill(name: string | null, speed: number): Promise<boolean>;
  /** Back to the record; the page is loaded anew. */
  leaveDrill(): Promise<void>;

  // The assistant. What takes a while has a name of the window's own (`writing`), by which it is cancelled, and tells
  // how far it is; what was cancelled is refused.
  /** Answers a question about an incident and keeps both with it. */
  ask(id: string, question: string, useModel: boolean, writing: string, onStep: OnStep): Promise<ExchangeDto>;
  cancelWriting(writing: string): Promise<void>;
  /** What was asked about an incident, oldest first. */
  exchanges(id: string): Promise<ExchangeDto[]>;
  forgetExchange(id: string, exchange: string): Promise<void>;
  /** Which of the recommended steps to take, in which order, and why. */
  advise(id: string, useModel: boolean, writing: string, onStep: OnStep): Promise<WritingDto>;
  wordSection(id: string, section: string, useModel: boolean, writing: string, onStep: OnStep): Promise<WordedSection>;
  modelState(): Promise<ModelStateDto>;
  models(): Promise<ModelsPage>;
  /** A file, or one the system's dialog asks for (`null`). False: the person changed their mind. */
  importModel(path: string | null): Promise<boolean>;
  downloadModel(id: string): Promise<void>;
  /** The download, the import or the exam that is under way. */
  cancelModelJob(): Promise<void>;
  removeModel(id: string): Promise<void>;
  /** `null`: rules and templates write everything. */
  chooseModel(id: string | null): Promise<void>;
  testModel(id: string): Promise<void>;
  /** Keeps the address of a server; a `key` of `null` leaves the kept one. */
  setModelServer(url: string, model: string, key: string | null): Promise<void>;
  forgetModelServer(): Promise<void>;
  chooseModelServer(): Promise<void>;
  /** Asks it for a word, and says what answered. */
  tryModelServer(url: string, model: string, key: string | null): Promise<string>;
  /** Calls back while files are dragged over the window, until the returned function is called. */
  listenDrops(receive: (drop: Drop) => void): Promise<() => void>;

  appInfo(): Promise<AppInfo>;
  /** Calls back for every change until the returned function is called. */
  listen(receive: (event: AppEvent) => void): Promise<() => void>;
  /** The time in milliseconds. */
  now(): number;
}

/** A refusal in words a person can act on. */
export class BackendError extends Error {
  constructor(
    message: string,
    readonly code: string | null = null,
  ) {
    super(message);
    this.name = "BackendError";
  }
}

/** Whatever was thrown, as words. The program sends `WindowError`; anything else is a fault of the window itself. */
export function asError(thrown: unknown): BackendError {
  if (thrown instanceof BackendError) return thrown;
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
    const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : null;
    return new BackendError(String(thrown.message), code);
  }
  return new BackendError(String(thrown));
}
