// The rows of the timeline: what was recorded, in the order of time, with the gaps where they lie.
import type { IncidentDto, IncidentPage, TimelineDto } from "../ipc/types";
import { clock, seconds, span } from "../shared/format";
import type { IconName } from "../shared/Icon.svelte";

export type Filter = "all" | "changes" | "symptoms" | "people" | "reconstructed";

export type Row =
  | { row: "entry"; id: string; at: string; entry: TimelineDto }
  | { row: "gap"; id: string; at: string; until: string; cause: string; evidence: string[] };

/** Entries and gaps in order. A gap that the ledger and the timeline both know stands once. */
export function entries({ incident, gaps }: IncidentPage): Row[] {
  const rows: Row[] = incident.timeline.map((entry) =>
    entry.kind === "gap" && entry.until
      ? {
          row: "gap",
          id: String(entry.seq),
          at: entry.at,
          until: entry.until,
          cause: entry.text,
          evidence: entry.evidence,
        }
      : { row: "entry", id: String(entry.seq), at: entry.at, entry },
  );
  const near = (a: string, b: string) => Math.abs(Date.parse(a) - Date.parse(b)) < 2_000;
  for (const gap of gaps) {
    const known = rows.some((r) => r.row === "gap" && near(r.at, gap.from) && near(r.until, gap.to));
    if (!known)
      rows.push({ row: "gap", id: `gap-${gap.from}`, at: gap.from, until: gap.to, cause: gap.cause, evidence: [] });
  }
  const seq = (r: Row) => (r.row === "entry" ? r.entry.seq : 0);
  return rows.sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || seq(a) - seq(b));
}

const person = (e: TimelineDto) => e.kind === "note" || e.kind === "action" || (e.kind === "state" && e.who !== null);

export function passes(row: Row, filter: Filter): boolean {
  // A gap stays in every view: what is not there may lie in it.
  if (row.row === "gap") return filter !== "people";
  const { entry } = row;
  switch (filter) {
    case "all":
      return true;
    case "changes":
      return entry.kind === "change";
    case "symptoms":
      return entry.kind === "symptom" || entry.kind === "recovery";
    case "people":
      return person(entry);
    case "reconstructed":
      return entry.observed === "reconstructed";
  }
}

export function countOf(rows: readonly Row[], filter: Filter): number {
  return (
    rows.filter((r) => r.row === "entry" && passes(r, filter)).length +
    (filter === "all" ? rows.filter((r) => r.row === "gap").length : 0)
  );
}

export function icon(entry: TimelineDto): IconName {
  if (person(entry)) return entry.kind === "note" ? "pencil" : entry.kind === "action" ? "wrench" : "user";
  const icons: Record<string, IconName> = {
    change: "git-compare",
    symptom: "circle-alert",
    recovery: "check",
    state: "eye",
    notification: "bell",
  };
  return icons[entry.kind] ?? "minus";
}

/** `Not recorded 03:04:10–03:06:38, 2 m 28 s: API server out of reach` */
export function gapWords(gap: { at: string; until: string; cause: string }): string {
  return `Not recorded ${clock(gap.at)}–${clock(gap.until)}, ${span(seconds(gap.at, gap.until))}: ${gap.cause}`;
}

export interface TimeRow {
  name: string;
  ends: string;
  value: string;
  /** Said where the value is not one number. */
  unsure: boolean;
  known: boolean;
}

/** The four times, each with how it is counted; unknown or a range where an end was not recorded. */
export function times(incident: IncidentDto, gaps: readonly { from: string; to: string }[]): TimeRow[] {
  const { times: t, started_at: start, detected_at: detected } = incident;
  const dash = (from: string | null, to: string | null) =>
    from && to ? `${clock(from)} → ${clock(to)}` : to ? `→ ${clock(to)}` : "";
  /** Which end is missing, or in which gap it lies. */
  const why = (end: string | null): string => {
    if (!start && !incident.started_at_range) return "unknown, the start was not recorded";
    const inside = (at: string | null) =>
      gaps.find((g) => at && Date.parse(g.from) < Date.parse(at) && Date.parse(at) < Date.parse(g.to));
    const gap = inside(end) ?? inside(start);
    return gap ? `unknown, ${clock(gap.from)}–${clock(gap.to)} not recorded` : "unknown";
  };
  const row = (
    name: string,
    basis: string,
    known: number | null,
    range: [number, number] | null,
    ends: string,
    end: string | null,
  ): TimeRow => {
    if (basis === "known" && known !== null) return { name, ends, value: span(known), unsure: false, known: true };
    if (basis === "range" && range)
      return { name, ends, value: `${span(range[0])} to ${span(range[1])}`, unsure: true, known: false };
    if (basis === "unknown") return { name, ends: "", value: why(end), unsure: true, known: false };
    return { name, ends: "", value: "not yet", unsure: false, known: false };
  };
  return [
    row("Time to detect", t.basis.to_detect, t.to_detect_s, t.to_detect_range_s, dash(start, detected), detected),
    row(
      "Time to acknowledge",
      t.basis.to_acknowledge,
      t.to_acknowledge_s,
      null,
      dash(null, incident.acknowledged_at),
      incident.acknowledged_at,
    ),
    row(
      "Time to mitigate",
      t.basis.to_mitigate,
      t.to_mitigate_s,
      t.to_mitigate_range_s,
      dash(start, incident.mitigated_at),
      incident.mitigated_at,
    ),
    row(
      "Time to resolve (MTTR)",
      t.basis.to_resolve,
      t.to_resolve_s,
      t.to_resolve_range_s,
      dash(null, incident.resolved_at),
      incident.resolved_at,
    ),
  ];
}
