// A made-up program for development and tests. It plays the story of the design: the night of 12 November 2026.
// Nothing of this is in what is shipped (`connect` in api.ts imports it in development only).
import { BackendError, type Backend } from "./backend";
import { evidence, excerpts, incident, resolved } from "./story/checkout";
import { clusters, others, summary } from "./story/others";
import { draft, html } from "./story/postmortem";
import { played, stories } from "./story/drill";
import { at } from "./story/time";
import type {
  AppEvent,
  AppInfo,
  ClusterDto,
  ClustersPage,
  EvidenceDto,
  IncidentDto,
  Inbox,
  IncidentPage,
  NotesDto,
  PostmortemDto,
  SilenceDto,
} from "./types";

export type Scene = "night" | "morning" | "calm" | "blind" | "syncing" | "first" | "no-kubeconfig" | "broken";

export class Fake implements Backend {
  incidents: IncidentDto[];
  page: ClustersPage;
  revision = 260;
  notes = new Map<string, NotesDto>();
  edited = new Map<string, { markdown: string; at: string }>();
  mutes: SilenceDto[] = [];
  copied: string[] = [];
  /** Makes the named method refuse, for the states that show a failure. */
  refuse = new Map<keyof Backend, BackendError>();
  /** What the window said of text that is in it alone. */
  unsaved = false;
  trouble: string | null = null;
  /** Why the record cannot be opened at all. */
  problem: AppInfo["problem"] = null;
  /** The recorded incident that is open. */
  drill: AppInfo["drill"] = null;
  #receivers = new Set<(event: AppEvent) => void>();
  #loaded = Date.now();
  #starts: number;
  /** The page as it was before watching was paused. */
  #running: ClustersPage;

  constructor(readonly scene: Scene = "night") {
    this.#starts = Date.parse(scene === "morning" ? at("09:20:00") : at("03:09:12"));
    const open = scene === "night" || scene === "blind" || scene === "broken";
    this.incidents =
      scene === "first" || scene === "no-kubeconfig" || scene === "syncing"
        ? []
        : [open ? { ...incident } : resolved(), ...others.map((i) => ({ ...i }))];
    if (scene === "calm") this.incidents = this.incidents.filter((i) => i.state === "resolved");
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
    this.emit({ type: "incident", revision: this.revision, previous, incident: summary(this.#find(id)) });
  }

  #find(id: string): IncidentDto {
    const found = this.incidents.find((i) => i.id === id || String(i.number) === id);
    if (!found) throw new BackendError("This incident is not in the record.", "no_incident");
    return found;
  }

  #answer<T>(method: keyof Backend, value: () => T): Promise<T> {
    const refusal = this.refuse.get(method);
    if (refusal) return Promise.reject(refusal);
    try {
      return Promise.resolve(structuredClone(value()));
    } catch (thrown) {
      return Promise.reject(thrown);
    }
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

  inbox = (): Promise<Inbox> =>
    this.#answer("inbox", () => ({ revision: this.revision, incidents: this.incidents.map(summary) }));
  incidentPage = (id: string): Promise<IncidentPage> =>
    this.#answer("incidentPage", () => {
      const found = this.#find(id);
      const night = found.number === 47;
      return {
        incident: found,
        notes: this.notes.get(found.id) ?? { text: "", updated_at: null, version: 0 },
        coverage:
          this.page.clusters.find((c) => c.name === found.cluster)?.coverage.filter((s) => s.kind === "pods") ?? [],
        gaps: night ? [{ from: at("03:04:10"), to: at("03:06:38"), cause: "API server out of reach" }] : [],
      };
    });
  evidenceItem = (id: string, item: string): Promise<EvidenceDto> =>
    this.#answer("evidenceItem", () => {
      this.#find(id);
      const found = evidence.find((e) => e.id === item);
      if (!found) throw new BackendError(`${item} is not in the record.`);
      return { ...found, excerpt: excerpts[item] ?? `${found.object.kind} ${found.object.name}\n${found.summary}` };
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
      return notes;
    });
  silence = (id: string, minutes: number, reason: string) =>
    this.#answer("silence", () => {
      const i = this.#find(id);
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
    });
  silences = () => this.#answer("silences", () => this.mutes);
  unsilence = (id: string) =>
    this.#answer("unsilence", () => void (this.mutes = this.mutes.filter((s) => s.id !== id)));
  postmortem = (id: string): Promise<PostmortemDto> =>
    this.#answer("postmortem", () => {
      const mine = this.edited.get(id);
      const markdown =
        mine?.markdown ??
        (this.#find(id).number === 47 ? draft : `# ${this.#find(id).title}\n\nNothing is established yet.\n`);
      return {
        markdown,
        html: html(markdown),
        file_name: `INC-${this.#find(id).number}-checkout.md`,
        edited: mine !== undefined,
        updated_at: mine?.at ?? null,
      };
    });
  savePostmortem = (id: string, markdown: string | null) => {
    if (markdown === null) this.edited.delete(id);
    else if (!this.refuse.has("savePostmortem"))
      this.edited.set(id, { markdown, at: new Date(this.now()).toISOString() });
    return this.refuse.has("savePostmortem")
      ? this.#answer("savePostmortem", () => ({}) as PostmortemDto)
      : this.postmortem(id);
  };
  renderMarkdown = (markdown: string) => this.#answer("renderMarkdown", () => html(markdown));
  saveMarkdownFile = (id: string, _markdown: string) =>
    this.#answer(
      "saveMarkdownFile",
      (): string | null => `/home/mara/Documents/INC-${this.#find(id).number}-checkout.md`,
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
  setUnsaved = (unsaved: boolean) => this.#answer("setUnsaved", () => void (this.unsaved = unsaved));
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

/** `?scene=morning` and the like. */
export function fakeFromAddress(search: string): Fake {
  return new Fake((new URLSearchParams(search).get("scene") as Scene | null) ?? "night");
}
