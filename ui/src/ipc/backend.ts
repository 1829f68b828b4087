import type {
  AppEvent,
  AppInfo,
  AppearanceSettings,
  ClustersPage,
  Diagnostics,
  EvidenceDto,
  HistoryInsights,
  HistoryPage,
  HistoryQuery,
  IgnoreRequest,
  Inbox,
  IncidentPage,
  NotesDto,
  NotificationSettings,
  PostmortemDto,
  RetentionSettings,
  SettingsPage,
  SilenceDto,
  StoryDto,
} from "./types";

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
  /** `null` throws a person's text away and lets the record fill it again. */
  savePostmortem(id: string, markdown: string | null): Promise<PostmortemDto>;
  /** Sanitised HTML. */
  renderMarkdown(markdown: string): Promise<string>;
  /** Asks where by the system's dialog; the path it was written to, or `null` when the person changed their mind. */
  saveMarkdownFile(id: string, markdown: string): Promise<string | null>;
  copyText(text: string): Promise<void>;

  clusters(): Promise<ClustersPage>;
  watchCluster(name: string, watched: boolean): Promise<void>;
  retryCluster(name: string): Promise<void>;
  setPaused(paused: boolean): Promise<void>;
  /** Reads the kubeconfig files and the login shell's environment again. */
  reloadEnvironment(): Promise<void>;

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
