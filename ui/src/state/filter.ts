// Which incidents of the inbox are shown: by what was typed, and by state, severity, cluster and namespace.
import type { IncidentSummary } from "../ipc/types";

export const FACETS = ["state", "severity", "cluster", "namespace"] as const;
export type Facet = (typeof FACETS)[number];

/** Within a facet any of the values will do; all facets must agree. An empty facet asks for nothing. */
export interface Filter extends Record<Facet, readonly string[]> {
  text: string;
}

export const NONE: Filter = { text: "", state: [], severity: [], cluster: [], namespace: [] };

const ORDER: Partial<Record<Facet, readonly string[]>> = {
  state: ["open", "acknowledged", "mitigated", "silenced", "resolved"],
  severity: ["critical", "high", "medium", "low"],
};

/** Notifications of it are muted now. What is over needs no mute. */
export function isSilenced(i: IncidentSummary, now: number): boolean {
  return i.state !== "resolved" && i.silenced_until !== null && Date.parse(i.silenced_until) > now;
}

function valueOf(i: IncidentSummary, facet: Facet, now: number): string {
  if (facet === "state") return isSilenced(i, now) ? "silenced" : i.state;
  if (facet === "namespace") return i.namespace ?? "";
  return i[facet];
}

/** Whether every word that was typed stands somewhere in the row. */
export function mentions(i: IncidentSummary, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const row =
    `INC-${i.number} ${i.title} ${i.severity} ${i.state} ${i.cluster} / ${i.namespace ?? ""} ${i.subject_kind} ${i.subject_name} ${i.cause ?? ""}`.toLowerCase();
  return words.every((word) => row.includes(word));
}

export function passes(i: IncidentSummary, filter: Filter, now: number): boolean {
  return (
    FACETS.every((facet) => filter[facet].length === 0 || filter[facet].includes(valueOf(i, facet, now))) &&
    mentions(i, filter.text)
  );
}

/** The filter with this value switched on or off. */
export function toggled(filter: Filter, facet: Facet, value: string): Filter {
  const has = filter[facet].includes(value);
  return { ...filter, [facet]: has ? filter[facet].filter((v) => v !== value) : [...filter[facet], value] };
}

export interface Choice {
  facet: Facet;
  value: string;
  count: number;
  on: boolean;
}

/** What may be chosen, with how many there are of each; what is on stays in the list even when none is left. */
export function choices(incidents: readonly IncidentSummary[], filter: Filter, facet: Facet, now: number): Choice[] {
  const counts = new Map<string, number>(filter[facet].map((value) => [value, 0]));
  for (const i of incidents) {
    const value = valueOf(i, facet, now);
    if (value !== "") counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const order = ORDER[facet];
  const place = (value: string) => (order ? order.indexOf(value) : 0);
  return [...counts]
    .sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b))
    .map(([value, count]) => ({ facet, value, count, on: filter[facet].includes(value) }));
}

/** What is on apart from the text. */
export function active(filter: Filter): { facet: Facet; value: string }[] {
  return FACETS.flatMap((facet) => filter[facet].map((value) => ({ facet, value })));
}
