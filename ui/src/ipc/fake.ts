// A made-up program for development and tests. It plays the story of the design: the night of 12 November 2026.
// Nothing of this is in what is shipped (`connect` in api.ts imports it in development only).
import { BackendError, type Backend, type PostmortemOrigin } from "./backend";
import { WithAssistant } from "./fake-assistant";
import { historyInsights, historyPage, incidentOf, past, rowOf } from "./fake-history";
import { choices, inspection } from "./fake-inspect";
import { diagnostics, FakeSettings } from "./fake-settings";
import { evidence, excerpts, incident, resolved } from "./story/checkout";
import { clusters, others, summary } from "./story/others";
import { graphs } from "./story/graphs";
import { INC_45 } from "./story/ids";
import { manyEntries, manyIncidents, manyLines } from "./story/many";
import { FakePostmortems } from "./fake-postmortem";
import { played, stories } from "./story/drill";
import { at } from "./story/time";
import type {
  AppEvent,
  AppInfo,
  AppearanceSettings,
  ClusterDto,
  ClustersPage,
  EvidenceDto,
  HistoryQuery,
  HistoryRow,
  IncidentDto,
  IgnoreRequest,
  Inbox,
  IncidentPage,
  NotesDto,
  NotificationSettings,
  PostmortemDto,
  RetentionSettings,
  SilenceDto,
} from "./types";

export type Scene = "night" | "morning" | "calm" | "blind" | "syncing" | "first" | "no-kubeconfig" | "broken" | "many";

export class Fake extends WithAssistant implements Backend {
  incidents: IncidentDto[];
  page: ClustersPage;
  revision = 260;
  notes = new Map<string, NotesDto>();
  versions = new Map<string, NotesDto[]>();
  readonly papers = new FakePostmortems(() => this.now());
  mutes: SilenceDto[] = [];
  /** Until when incidents are muted, by id. */
  silenced = new Map<string, string>();
  copied: string[] = [];
  /** Makes the named method refuse, for the states that show a failure. */
  refuse = new Map<keyof Backend, BackendError>();
  /** What the window said of text that is in it alone. */
  unsaved = false;
  trouble: string | null = null;
  /** Why the record cannot be opened at all. */
  problem: AppInfo["problem"] = null;
  readonly prefs = new FakeSettings();
  startsAtLogin = false;
  /** What lies behind the inbox. */
  past: HistoryRow[];
  /** How long every answer takes, in milliseconds. */
  slow = 0;
  /** The recorded incident that is open. */
  drill: AppInfo["drill"] = null;
  #receivers = new Set<(event: AppEvent) => void>();
  #loaded = Date.now();
  #starts: number;
  /** The page as it was before watching was paused. */
  #running: ClustersPage;

  constructor(
    readonly scene: Scene = "night",
    many = 40,
    model = "idle",
  ) {
    super(model);
    this.#starts = Date.parse(scene === "morning" ? at("09:20:00") : at("03:09:12"));
    const open = ["night", "blind", "broken", "many"].includes(scene);
    this.incidents =
      scene === "first" || scene === "no-kubeconfig" || scene === "syncing"
        ? []
        : [open ? { ...incident } : resolved(), ...others.map((i) => ({ ...i }))];
    if (scene === "calm") this.incidents = this.incidents.filter((i) => i.state === "resolved");
    if (scene === "many") {
      const [first] = this.incidents;
      const [, quiet] = this.incidents;
      const like = first?.timeline[5];
      if (first && quiet && like) {
        const entries = manyEntries(like, Date.parse(at("02:57:00")), this.#starts);
        first.timeline = [...first.timeline, ...entries];
        this.incidents = [first, ...manyIncidents(quiet, this.#starts)];
      }
    }
    this.past = this.incidents.length > 0 ? past(many) : [];
    const all = clusters(this.#starts);
    this.page = { clusters: this.#clusters(all), problems: [], files: ["/home/mara/.kube/config"], paused: false };
    if (scene === "no-kubeconfig") {
      this.page = {
        clusters: [],
        problems: ["/home/mara/.kube/config: not found", "$KUBECONFIG is not set"],
        files: [],
        paused: false,
      };
    }
    this.#running = this.page;
    if (scene === "broken") {
      const refusal = new BackendError(
        "The record cannot be read: the database is damaged. Restore the copy of yesterday, 22:00.",
        "corrupt",
      );
      this.refuse.set("inbox", refusal);
    }
    if (scene === "night") this.silenced.set(INC_45, at("09:00:00", 14));
    this.mutes =
      scene === "night"
        ? [
            {
              id: "s1",
              until: at("09:00:00", 14),
              reason: "known, waits for the new driver",
              matches: "reports-cache in staging-eu / reports",
            },
          ]
        : [];
  }

  #clusters(all: ClusterDto[]): ClusterDto[] {
    if (this.scene === "first")
      return all.map((c) => ({
        ...c,
        watched: false,
        state: "idle",
        coverage: [],
        unreadable: [],
        message: null,
        hint: null,
        last_heard: null,
      }));
    if (this.scene === "syncing") {
      return all.map((c) =>
        c.name === "prod-eu"
          ? {
              ...c,
              state: "syncing",
              progress: { done: 9, of: 18, objects: 1640 },
              coverage: [],
              unreadable: [],
              last_heard: null,
            }
          : { ...c, watched: false, state: "idle", coverage: [] },
      );
    }
    if (this.scene === "blind") {
      return all.map((c) =>
        c.name === "prod-eu"
          ? {
              ...c,
              state: "unreachable",
              message: "API server out of reach: network unreachable. Next try in 8 s, the 4th.",
              hint: "Is the VPN up?",
              last_heard: at("03:04:10"),
              coverage: c.coverage.filter((s) => s.from < at("03:05:00")),
            }
          : c,
      );
    }
    return all;
  }

  /** The time of the story, which goes on from where the scene starts. */
  now(): number {
    return this.#starts + (Date.now() - this.#loaded);
  }

  emit(event: AppEvent): void {
    for (const receive of this.#receivers) receive(event);
  }

  change(id: string, change: (incident: IncidentDto) => Partial<IncidentDto>): void {
    const previous = this.revision++;
    this.incidents = this.incidents.map((i) => (i.id === id ? { ...i, ...change(i), revision: this.revision } : i));
    this.emit({ type: "incident", revision: this.revision, previous, incident: this.#row(this.find(id)) });
  }

  #row(i: IncidentDto) {
    return { ...summary(i), silenced_until: this.silenced.get(i.id) ?? null };
  }

  find(id: string): IncidentDto {
    const is = (i: { id: string; number: number }) => i.id === id || String(i.number) === id;
    const before = this.past.find((row) => is(row.incident));
    const found = this.incidents.find(is) ?? (before && incidentOf(before));
    if (!found) throw new BackendError("This incident is not in the record.", "no_incident");
    return found;
  }

  async pass(method: keyof Backend): Promise<void> {
    await this.#answer(method, () => undefined);
  }

  async #answer<T>(method: keyof Backend, value: () => T): Promise<T> {
    if (this.slow > 0) await new Promise((done) => setTimeout(done, this.slow));
    const refusal = this.refuse.get(method);
    if (refusal) throw refusal;
    return structuredClone(value());
  }

  #entry(kind: string, text: string, label: string | null) {
    return (i: IncidentDto) => ({
      timeline: [
        ...i.timeline,
        {
          seq: i.timeline.length + 1,
          at: new Date(this.now()).toISOString(),
          until: null,
          kind,
          label,
          text,
          evidence: [],
          observed: "live",
          who: "you",
        },
      ],
    });
  }

  inbox = (offset: number): Promise<Inbox> =>
    this.#answer("inbox", () => {
      const until = offset + 1000;
      const incidents = this.incidents.slice(offset, until).map((i) => this.#row(i));
      return { revision: this.revision, incidents, more: this.incidents.length > until };
    });
  incidentPage = (id: string): Promise<IncidentPage> =>
    this.#answer("incidentPage", () => {
      const found = this.find(id);
      const night = found.number === 47;
      return {
        incident: found,
        notes: this.notes.get(found.id) ?? { text: "", updated_at: null, version: 0 },
        coverage:
          this.page.clusters.find((c) => c.name === found.cluster)?.coverage.filter((s) => s.kind === "pods") ?? [],
        gaps: night ? [{ from: at("03:04:10"), to: at("03:06:38"), cause: "API server out of reach" }] : [],
        graph: graphs.get(found.number) ?? null,
      };
    });
  evidenceItem = (id: string, item: string): Promise<EvidenceDto> =>
    this.#answer("evidenceItem", () => {
      this.find(id);
      const found = evidence.find((e) => e.id === item);
      if (!found) throw new BackendError(`${item} is not in the record.`);
      return {
        ...found,
        excerpt:
          (this.scene === "many" && item === "E6" ? manyLines() : excerpts[item]) ??
          `${found.object.kind} ${found.object.name}\n${found.summary}`,
      };
    });
  acknowledge = (id: string) =>
    this.#answer("acknowledge", () =>
      this.change(id, (i) => ({
        ...this.#entry("state", "Acknowledged", "acknowledged")(i),
        state: "acknowledged",
        times: {
          ...i.times,
          to_acknowledge_s: Math.round((this.now() - Date.parse(i.detected_at)) / 1000),
          basis: { ...i.times.basis, to_acknowledge: "known" },
        },
        acknowledged_at: new Date(this.now()).toISOString(),
      })),
    );
  resolve = (id: string, reason: string | null) =>
    this.#answer("resolve", () =>
      this.change(id, (i) => ({
        ...this.#entry("state", reason ? `Resolved: ${reason}` : "Resolved by a person", "resolved")(i),
        state: "resolved",
        resolved_at: new Date(this.now()).toISOString(),
      })),
    );
  reopen = (id: string) =>
    this.#answer("reopen", () =>
      this.change(id, (i) => ({
        ...this.#entry("state", "Reopened", null)(i),
        state: "open",
        resolved_at: null,
        acknowledged_at: null,
      })),
    );
  addEntry = (id: string, text: string) =>
    this.#answer("addEntry", () => this.change(id, this.#entry("note", text, null)));
  saveNotes = (id: string, text: string): Promise<NotesDto> =>
    this.#answer("saveNotes", () => {
      const before = this.notes.get(id);
      if (before?.text === text) return before;
      const notes = {
        text,
        updated_at: new Date(this.now()).toISOString(),
        version: (before?.version ?? 0) + 1,
      };
      this.notes.set(id, notes);
      this.versions.set(id, [...(this.versions.get(id) ?? []), notes]);
      return notes;
    });
  mergeIncidents = (into: string, others: string[]) =>
    this.#answer("mergeIncidents", () => {
      const target = this.find(into);
      const at = new Date(this.now()).toISOString();
      for (const id of others)
        this.change(id, () => ({ state: "resolved", resolved_at: at, merged_into: target.id, recovered_by: null }));
      const numbers = others.map((id) => `INC-${this.find(id).number}`).join(", ");
      this.change(target.id, this.#entry("state", `Merged: ${numbers}`, null));
    });
  splitIncident = (id: string, findings: string[]): Promise<string> =>
    this.#answer("splitIncident", () => {
      const from = this.find(id);
      const taken = from.findings.filter((f) => findings.includes(f.fingerprint));
      const number = Math.max(...this.incidents.map((i) => i.number)) + 1;
      const own = from.id.replace(/..$/, String(number));
      this.incidents = [
        { ...from, id: own, number, title: taken[0]?.message ?? from.title, findings: taken, causes: [], actions: [] },
        ...this.incidents,
      ];
      this.change(own, this.#entry("state", `Split off from INC-${from.number}`, null));
      this.change(id, (i) => ({ findings: i.findings.filter((f) => !findings.includes(f.fingerprint)) }));
      return own;
    });
  notAnIncident = (id: string, reason: string | null) =>
    this.#answer("notAnIncident", () =>
      this.change(id, (i) => ({
        ...this.#entry("state", `Not an incident${reason ? `: ${reason}` : ""}`, "resolved")(i),
        state: "resolved",
        resolved_at: new Date(this.now()).toISOString(),
      })),
    );
  deleteIncident = (id: string) =>
    this.#answer("deleteIncident", () => {
      const gone = this.find(id);
      this.incidents = this.incidents.filter((i) => i.id !== gone.id);
      this.emit({ type: "incidents" });
    });
  setTicket = (id: string, ticket: string | null) =>
    this.#answer("setTicket", () => this.change(id, () => ({ ticket })));
  notesHistory = (id: string): Promise<NotesDto[]> =>
    this.#answer("notesHistory", () => this.versions.get(this.find(id).id)?.toReversed() ?? []);
  silence = (id: string, minutes: number, reason: string) =>
    this.#answer("silence", () => {
      const i = this.find(id);
      const until = new Date(this.now() + minutes * 60_000).toISOString();
      this.mutes = [
        ...this.mutes,
        {
          id: `s${this.mutes.length + 1}`,
          until,
          reason,
          matches: `${i.subject.name} in ${i.cluster} / ${i.subject.namespace}`,
        },
      ];
      this.silenced.set(i.id, until);
      this.change(i.id, () => ({}));
    });
  silences = () => this.#answer("silences", () => this.mutes);
  unsilence = (id: string) =>
    this.#answer("unsilence", () => {
      this.mutes = this.mutes.filter((s) => s.id !== id);
    });
  postmortem = (id: string): Promise<PostmortemDto> =>
    this.#answer("postmortem", () => this.papers.page(this.find(id)));
  savePostmortem = (id: string, markdown: string | null, origin: PostmortemOrigin) =>
    this.#answer("savePostmortem", () => this.papers.save(this.find(id), markdown, origin));
  previewPostmortem = (id: string, markdown: string) =>
    this.#answer("previewPostmortem", () => this.papers.preview(this.find(id), markdown));
  postmortemVersions = (id: string) =>
    this.#answer("postmortemVersions", () => this.papers.versions(this.find(id)).toReversed());
  setPostmortemStatus = (id: string, status: string) =>
    this.#answer("setPostmortemStatus", () => this.papers.setStatus(this.find(id), status));
  setPostmortemShape = (id: string, shape: string) =>
    this.#answer("setPostmortemShape", () => this.papers.setShape(this.find(id), shape));
  postmortemSection = (_id: string, section: string) =>
    this.#answer("postmortemSection", () => this.papers.section(section));
  exportPostmortem = (id: string, _markdown: string, format: string, frontMatter: boolean) =>
    this.#answer("exportPostmortem", () => this.papers.write(this.find(id), format, frontMatter));
  openExported = (path: string) => this.#answer("openExported", () => void this.papers.opened.push(path));
  showExported = (path: string) => this.#answer("showExported", () => void this.papers.opened.push(path));
  chatSummary = (id: string, _markdown: string) =>
    this.#answer("chatSummary", () => `**INC-${this.find(id).number}** ${this.find(id).title}`);
  saveMarkdownFile = (id: string, _markdown: string) =>
    this.#answer(
      "saveMarkdownFile",
      (): string | null => `/home/mara/Documents/INC-${this.find(id).number}-checkout.md`,
    );
  copyText = (text: string) => this.#answer("copyText", () => void this.copied.push(text));
  clusters = () => this.#answer("clusters", () => this.page);
  #cluster(name: string, change: Partial<ClusterDto>): void {
    this.page = { ...this.page, clusters: this.page.clusters.map((c) => (c.name === name ? { ...c, ...change } : c)) };
    const changed = this.page.clusters.find((c) => c.name === name);
    if (changed) this.emit({ type: "cluster", cluster: changed });
  }
  watchCluster = (name: string, watched: boolean) =>
    this.#answer("watchCluster", () => this.#cluster(name, { watched, state: watched ? "connecting" : "idle" }));
  retryCluster = (name: string) =>
    this.#answer("retryCluster", () => this.#cluster(name, { state: "connecting", message: null }));
  setPaused = (paused: boolean) =>
    this.#answer("setPaused", () => {
      const { clusters } = paused ? this.page : this.#running;
      if (paused) this.#running = this.page;
      const now = clusters.map((c) => (paused && c.watched ? { ...c, state: "paused" } : c));
      this.page = { ...this.page, clusters: now, paused };
      this.emit({ type: "clusters" });
    });
  reloadEnvironment = () => this.#answer("reloadEnvironment", () => this.emit({ type: "clusters" }));
  workloadChoices = (text: string) => this.#answer("workloadChoices", () => choices(text));
  inspectWorkload = (_cluster: string, kind: string, _namespace: string | null, name: string) =>
    this.#answer("inspectWorkload", () => inspection(this.incidents, incident, kind, name, this.now()));
  setClusterMark = (name: string, mark: string | null) =>
    this.#answer("setClusterMark", () => this.#cluster(name, { mark }));

  #history = () => [...this.incidents.map(rowOf), ...this.past];
  history = (query: HistoryQuery) => this.#answer("history", () => historyPage(this.#history(), query, this.now()));
  historyInsights = (query: HistoryQuery) =>
    this.#answer("historyInsights", () => historyInsights(this.#history(), query, this.now()));

  settings = () => this.#answer("settings", () => this.prefs.page);
  setNotifications = (to: NotificationSettings) => this.#answer("setNotifications", () => this.prefs.notifications(to));
  setRule = (id: string, on: boolean, holdS: number | null, threshold: number | null) =>
    this.#answer("setRule", () => this.prefs.rule(id, on, holdS, threshold));
  ignore = (request: IgnoreRequest) => this.#answer("ignore", () => this.prefs.ignore(request, this.now()));
  unignore = (id: string) => this.#answer("unignore", () => this.prefs.unignore(id));
  setRetention = (to: RetentionSettings) => this.#answer("setRetention", () => this.prefs.retention(to));
  setAppearance = (to: AppearanceSettings) => this.#answer("setAppearance", () => this.prefs.appearance(to));
  testNotification = () => this.#answer("testNotification", () => undefined);
  backUp = () => this.#answer("backUp", () => this.prefs.backUp());
  openDataFolder = () => this.#answer("openDataFolder", () => undefined);
  diagnostics = () => this.#answer("diagnostics", () => diagnostics);

  setUnsaved = (unsaved: boolean) => this.#answer("setUnsaved", () => void (this.unsaved = unsaved));
  autostart = () => this.#answer("autostart", () => this.startsAtLogin);
  setAutostart = (on: boolean) => this.#answer("setAutostart", () => void (this.startsAtLogin = on));
  appInfo = (): Promise<AppInfo> =>
    this.#answer("appInfo", () => ({
      version: "0.1.0",
      database: "/home/mara/.local/share/afterwatch/afterwatch.db",
      first_run: this.scene === "first",
      can_tray: true,
      trouble: this.trouble,
      problem: this.problem,
      drill: this.drill,
    }));
  drills = () => this.#answer("drills", () => stories);
  startDrill = (name: string | null, speed: number) =>
    this.#answer("startDrill", () => {
      this.drill = played(name, speed, this.now());
      this.emit({ type: "drill", drill: this.drill });
      return true;
    });
  leaveDrill = () => this.#answer("leaveDrill", () => void (this.drill = null));
  listen = (receive: (event: AppEvent) => void) => {
    this.#receivers.add(receive);
    return Promise.resolve(() => void this.#receivers.delete(receive));
  };
}

/** `?scene=morning`, `?past=10000`, `?slow=3000`, `?model=none` and the like. */
export function fakeFromAddress(search: string): Fake {
  const asked = new URLSearchParams(search);
  const scene = (asked.get("scene") as Scene | null) ?? "night";
  const fake = new Fake(scene, Number(asked.get("past") ?? 40), asked.get("model") ?? "idle");
  fake.slow = Number(asked.get("slow") ?? 0);
  fake.assistant.pace = Number(asked.get("pace") ?? 110);
  return fake;
}
