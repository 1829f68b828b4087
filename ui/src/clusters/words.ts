// How a connection is spoken of.
import type { ClusterDto, ClustersPage, CoverageSpan, UnreadableKind } from "../ipc/types";
import { age, clockShort, moment, number, sameDay, day } from "../shared/format";
import type { IconName } from "../shared/Icon.svelte";
import { between, merge, type Span } from "../shared/spans";

export interface Standing {
  icon: IconName;
  text: string;
  tone: "ok" | "warn" | "plain";
}

/** `watching, 1 s ago`, or what is wrong, in few words. */
export function standing(c: ClusterDto, now: number, paused: boolean): Standing {
  if (c.problem) return { icon: "triangle-alert", text: "entry is broken", tone: "warn" };
  if (!c.watched) return { icon: "minus", text: "not watched", tone: "plain" };
  if (paused || c.state === "paused") return { icon: "pause", text: "paused", tone: "plain" };
  switch (c.state) {
    case "connected":
      return { icon: "circle-check", text: `watching, ${heard(c, now)}`, tone: "ok" };
    case "following":
      return { icon: "eye", text: `recorded by ${c.followed ?? "another process"}`, tone: "plain" };
    case "connecting":
      return { icon: "rotate-cw", text: "connecting", tone: "plain" };
    case "syncing":
      return {
        icon: "rotate-cw",
        text: c.progress ? `reading, ${c.progress.done} of ${c.progress.of} kinds` : "reading",
        tone: "plain",
      };
    case "unreachable":
      return {
        icon: "unplug",
        text: c.last_heard ? `out of reach since ${short(c.last_heard, now)}` : "out of reach",
        tone: "warn",
      };
    case "login_needed":
      return { icon: "key-round", text: "sign-in needed", tone: "warn" };
    case "misconfigured":
      return { icon: "triangle-alert", text: "entry is broken", tone: "warn" };
    default:
      return { icon: "minus", text: c.state.replaceAll("_", " "), tone: "plain" };
  }
}

const NOT_LIVE: Record<string, string> = {
  unreachable: "is out of reach",
  login_needed: "needs a sign-in",
  misconfigured: "cannot be used",
  paused: "is paused",
  connecting: "is being connected",
  syncing: "is being read",
};

/** `is out of reach` and the like, for a connection that is not live; empty for one that is. */
export function notLive(c: ClusterDto): string {
  if (c.problem) return "cannot be used";
  if (!c.watched) return "is not watched";
  if (c.state === "connected" || c.state === "following") return "";
  return NOT_LIVE[c.state] ?? `is ${c.state.replaceAll("_", " ")}`;
}

export interface Stale {
  how: string;
  /** The last moment that is known of. */
  as: string | null;
}

/** Why what is shown of a cluster may be old, and as of when it is; nothing while it is watched or the page is not read. */
export function stale(page: ClustersPage | null, name: string): Stale | null {
  if (!page) return null;
  const cluster = page.clusters.find((c) => c.name === name);
  if (!cluster) return { how: "is not in the kubeconfig", as: null };
  const how = notLive(cluster);
  return how ? { how, as: cluster.last_heard } : null;
}

/** `1 s ago` */
export function heard(c: ClusterDto, now: number): string {
  if (!c.last_heard) return "not heard yet";
  return `${age((now - Date.parse(c.last_heard)) / 1000)} ago`;
}

function short(at: string, now: number): string {
  return sameDay(at, now) ? clockShort(at) : `${day(at, now)}, ${clockShort(at)}`;
}

/** The kind whose coverage stands for the cluster: pods, else whatever was watched longest. */
export function leadSpans(c: ClusterDto): Span[] {
  const kinds = new Set(c.coverage.map((s) => s.kind));
  const lead = kinds.has("pods") ? "pods" : [...kinds][0];
  return merge(c.coverage.filter((s) => s.kind === lead).map(toSpan));
}

const toSpan = (s: CoverageSpan): Span => ({ from: Date.parse(s.from), to: Date.parse(s.to) });

/** A stream is told of as alive now and then; up to this it is not called a gap. */
export const ALIVE = 120_000;

const LIVE = ["connected", "following"];

/** Spans with the last one drawn to now while it goes on. */
export function goingOn(c: ClusterDto, kind: string | null, now: number): Span[] {
  const own = c.coverage.filter((s) => kind === null || s.kind === kind);
  return own.map((s) => {
    const span = toSpan(s);
    const alive = s.ended_by === null && LIVE.includes(c.state) && now - span.to < ALIVE;
    return alive ? { from: span.from, to: now } : span;
  });
}

/** Since when every watched cluster has been seen without a gap. */
export function watchedSince(clusters: readonly ClusterDto[]): string | null {
  const starts = clusters.flatMap((c) => {
    const last = leadSpans(c).at(-1);
    return last ? [last.from] : [];
  });
  return starts.length > 0 ? new Date(Math.max(...starts)).toISOString() : null;
}

const NAMES: Record<string, string> = {
  pods: "Pods",
  events: "KubeEvents",
  endpointslices: "EndpointSlices",
  configmaps: "ConfigMaps",
  secrets: "Secrets",
};
const CAPITALS =
  "replica set|stateful set|daemon set|cron job|persistent volume claim|persistent volume|storage classe|ingress classe|network policie|horizontal pod autoscaler|pod disruption budget|resource quota|limit range|service account|validating webhook configuration|mutating webhook configuration|custom resource".split(
    "|",
  );

/** `persistentvolumeclaims` → `PersistentVolumeClaims` */
export function kindName(kind: string): string {
  const known = NAMES[kind];
  if (known) return known;
  const words = CAPITALS.find((c) => `${c.replaceAll(" ", "")}s` === kind);
  const spaced = words ? `${words}s` : kind;
  return spaced.replace(/(^| )([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
}

export function reason(of: string): string {
  return (
    {
      forbidden: "not permitted",
      unreachable: "not read",
      login_needed: "sign-in needed",
      malformed: "read in part",
      misconfigured: "entry is broken",
    }[of] ?? of.replaceAll("_", " ")
  );
}

export function reasonIcon(of: string): IconName {
  return of === "forbidden"
    ? "lock"
    : of === "login_needed"
      ? "key-round"
      : of === "malformed"
        ? "circle-alert"
        : "unplug";
}

/** What not seeing a kind costs. */
export function costs(kind: string): string {
  return (
    {
      nodes: "Faults of nodes cannot be ruled out.",
      events: "What the cluster itself said is missing from the timeline.",
      pods: "Nothing that runs can be judged.",
      secrets: "A missing Secret cannot be told from a hidden one.",
      configmaps: "Changes of configuration are not seen.",
      validatingwebhookconfigurations: "Faults at admission cannot be ruled out.",
      mutatingwebhookconfigurations: "Faults at admission cannot be ruled out.",
      persistentvolumes: "Faults of storage cannot be ruled out.",
      storageclasses: "Faults of storage cannot be ruled out.",
      networkpolicies: "Blocked traffic cannot be ruled out.",
      resourcequotas: "Quotas cannot be ruled out.",
      customresources: "What the controllers of extensions say is heard in part.",
    }[kind] ?? `What depends on ${kindName(kind)} cannot be checked.`
  );
}

/** A request an administrator can act on. */
export function adminRequest(c: ClusterDto, unreadable: readonly UnreadableKind[]): string {
  const lines = unreadable.map((u) => `- list, watch on ${u.kind}${u.namespace ? ` in namespace ${u.namespace}` : ""}`);
  return `Read access for ${c.user} in cluster ${c.name} (${c.server}):\n${lines.join("\n")}\n`;
}

export interface GapRow {
  from: number;
  to: number;
  cause: string;
}

const CAUSES: Record<string, string> = {
  disconnect: "API server out of reach",
  quit: "Afterwatch was not running",
  sleep: "the laptop slept",
  forbidden: "no longer permitted",
  login_needed: "sign-in needed",
  paused: "watching was paused",
  disk_full: "the disk was full",
  crash: "Afterwatch was killed",
};

/** Where the cluster as a whole was not recorded, newest first. */
export function gaps(c: ClusterDto, from: number, now: number): GapRow[] {
  const kind = c.coverage.some((s) => s.kind === "pods") ? "pods" : c.coverage[0]?.kind;
  if (!kind) return [];
  const ends = c.coverage.filter((s) => s.kind === kind);
  return between(goingOn(c, kind, now), now)
    .filter((g) => g.to > from && g.to - g.from > 1_000)
    .map((g) => {
      const ended = ends.find((s) => Math.abs(Date.parse(s.to) - g.from) < 1_000)?.ended_by;
      return { ...g, cause: CAUSES[ended ?? "disconnect"] ?? String(ended) };
    })
    .reverse();
}

export function objects(c: ClusterDto): string {
  return `${number(c.objects)} objects`;
}

export const lastHeard = (c: ClusterDto, now: number) => (c.last_heard ? moment(c.last_heard, now) : "not heard yet");

/** A path with `~` for the person's home, as the shell writes it. */
export const home = (path: string) => path.replace(/^\/(?:home|Users)\/[^/]+(?=\/|$)/, "~");

/** What a person marks a context as, so that nobody takes it for another one. */
export const MARKS: { value: string | null; name: string }[] = [
  { value: null, name: "not marked" },
  { value: "production", name: "marked production" },
  { value: "read_only", name: "marked read-only" },
];

/** `production`, `read-only` */
export const markName = (mark: string) => mark.replaceAll("_", "-");

/** The quiet line of a context in the list: how much of it is read, or since when nothing is. */
export function extent(c: ClusterDto, reach: string, now: number): string {
  if (!c.watched) return c.server;
  if (notLive(c) && c.last_heard) return `not recorded since ${short(c.last_heard, now)}`;
  return reach || c.server;
}
