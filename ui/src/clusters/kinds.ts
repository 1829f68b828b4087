// The kinds of a cluster as rows: how each is read, and how much of the time shown was recorded.
import type { ClusterDto, UnreadableKind } from "../ipc/types";
import { count } from "../shared/format";
import { merge, type Span } from "../shared/spans";
import { goingOn, kindName, reason } from "./words";

export interface KindRow {
  /** One kind, or several of a family that are read alike. */
  kinds: string[];
  name: string;
  /** What of them is read, where it is not everything. */
  part: string | null;
  scope: string;
  how: string;
  /** When something was last heard of the kind that was silent longest; `null` when never. */
  heard: number | null;
  spans: Span[];
  /** Of the time shown, in whole per cent; of several kinds the least. */
  share: number;
  unreadable: UnreadableKind | null;
}

/** What belongs together, in the order of the table. Kinds that are not named here follow by themselves. */
const FAMILIES: readonly (readonly string[])[] = [
  ["pods"],
  ["deployments", "replicasets"],
  ["statefulsets", "daemonsets"],
  ["jobs", "cronjobs"],
  ["services", "endpointslices"],
  ["ingresses", "ingressclasses"],
  ["events"],
  ["configmaps"],
  ["secrets"],
  ["nodes"],
  ["persistentvolumeclaims", "persistentvolumes", "storageclasses"],
  ["horizontalpodautoscalers", "poddisruptionbudgets"],
  ["resourcequotas", "limitranges"],
  ["networkpolicies"],
  ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
  ["namespaces", "serviceaccounts"],
];
const order = (kind: string) => {
  const at = FAMILIES.findIndex((family) => family.includes(kind));
  return at < 0 ? FAMILIES.length : at;
};

/** Lines that differ by less look the same at any width. */
const ALIKE = 120_000;

/** Rows in the order of the table, what cannot be read at the end. Kinds of a family share one when they are read alike. */
export function kinds(c: ClusterDto, from: number, now: number): KindRow[] {
  const names = [...new Set([...c.coverage.map((s) => s.kind), ...c.unreadable.map((u) => u.kind)])];
  const rows = names
    .map((kind) => row(c, kind, from, now))
    .sort(
      (a, b) =>
        Number(a.unreadable !== null) - Number(b.unreadable !== null) ||
        order(a.kinds[0] ?? "") - order(b.kinds[0] ?? ""),
    );
  const out: KindRow[] = [];
  for (const next of rows) {
    const last = out.at(-1);
    if (last && alike(last, next)) out[out.length - 1] = joined(last, next);
    else out.push(next);
  }
  return out;
}

function row(c: ClusterDto, kind: string, from: number, now: number): KindRow {
  const own = c.coverage.filter((s) => s.kind === kind);
  const spans = merge(goingOn(c, kind, now));
  const lost = c.unreadable.find((u) => u.kind === kind) ?? null;
  const seen = spans.reduce((sum, s) => sum + Math.max(0, Math.min(s.to, now) - Math.max(s.from, from)), 0);
  return {
    kinds: [kind],
    name: kindName(kind),
    part: kind === "secrets" ? "labels and versions only" : kind === "configmaps" ? "values as hashes" : null,
    scope: scope([...new Set(own.map((s) => s.namespace))], lost),
    how: lost ? reason(lost.reason) : own.some((s) => s.how === "watch") ? "list, watch" : "list only",
    heard: own.length > 0 ? Math.max(...own.map((s) => Date.parse(s.to))) : null,
    spans,
    share: Math.round((seen / (now - from)) * 100),
    unreadable: lost,
  };
}

function alike(a: KindRow, b: KindRow): boolean {
  const family = order(a.kinds[0] ?? "");
  return (
    family < FAMILIES.length &&
    family === order(b.kinds[0] ?? "") &&
    a.scope === b.scope &&
    a.how === b.how &&
    a.spans.length === b.spans.length &&
    a.spans.every((span, i) => {
      const other = b.spans[i];
      return other && Math.abs(span.from - other.from) < ALIKE && Math.abs(span.to - other.to) < ALIKE;
    })
  );
}

function joined(a: KindRow, b: KindRow): KindRow {
  return {
    ...a,
    kinds: [...a.kinds, ...b.kinds],
    name: `${a.name}, ${b.name}`,
    heard: a.heard === null || b.heard === null ? null : Math.min(a.heard, b.heard),
    share: Math.min(a.share, b.share),
  };
}

function scope(namespaces: (string | null)[], lost: UnreadableKind | null): string {
  const named = (namespaces.length > 0 ? namespaces : [lost?.namespace ?? null]).filter((n) => n !== null);
  if (named.length === 0) return "whole cluster";
  return named.length <= 2 ? named.join(", ") : `${named.length} namespaces`;
}

/** How many kinds are read, and how far. */
function counted(c: ClusterDto): { read: number; lost: number; scope: string } {
  const unreadable = new Set(c.unreadable.map((u) => u.kind));
  const spans = c.coverage.filter((s) => !unreadable.has(s.kind));
  const namespaces = new Set(spans.flatMap((s) => (s.namespace === null ? [] : [s.namespace]))).size;
  const scope = namespaces === 0 ? "whole cluster" : count(namespaces, "namespace");
  return { read: new Set(spans.map((s) => s.kind)).size, lost: unreadable.size, scope };
}

/** `14 kinds, whole cluster`, `11 kinds, 3 namespaces`; what cannot be read is not counted. Empty while nothing is. */
export function reach(c: ClusterDto): string {
  const { read, scope } = counted(c);
  return read === 0 ? "" : `${count(read, "kind")}, ${scope}`;
}

/** `You may read 14 of 16 kinds, whole cluster`; empty while nothing was read. */
export function mayRead(c: ClusterDto): string {
  const { read, lost, scope } = counted(c);
  return read === 0 ? "" : `You may read ${read} of ${count(read + lost, "kind")}, ${scope}`;
}
