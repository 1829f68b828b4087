// From the record to the picture: which lanes there are and what stands on them.
import type { IncidentPage, TimelineDto } from "../ipc/types";
import { clock, span } from "../shared/format";
import { merge, type Span } from "../shared/spans";
import type { Lane, LaneBar, LaneMark } from "../shared/lanes";
import { severity } from "../incidents/words";

export interface Picture {
  lanes: Lane[];
  gaps: Span[];
  from: number;
  to: number;
  now: number | null;
  label: string;
}

const ms = (at: string) => Date.parse(at);
const MINUTE = 60_000;
/** The axis reaches back to a suspected change, but no longer than this. */
const BEFORE = 20 * MINUTE;

/** The spans in which nothing was recorded, from the coverage ledger and from the timeline itself. */
export function gapsOf(page: IncidentPage, lost: Span | null = null): Span[] {
  const known = page.gaps.map((g) => ({ from: ms(g.from), to: ms(g.to) }));
  const entries = page.incident.timeline.filter((e) => e.kind === "gap" && e.until);
  return merge([
    ...(lost ? [lost] : []),
    ...known,
    ...entries.map((e) => ({ from: ms(e.at), to: ms(e.until ?? e.at) })),
  ]);
}

export interface Shape {
  /** While the cluster is out of sight, the time since it was last heard. */
  lost?: Span | null;
  /** Every pod and every other object hit on a lane of its own, and where it was watched above them. */
  whole?: boolean;
  /** Low windows have no room for what a person did. */
  low?: boolean;
}

/** More objects than this share the lane of the workload. */
const OBJECTS = 6;

export function picture(
  page: IncidentPage,
  now: number,
  { lost = null, whole = false, low = false }: Shape = {},
): Picture {
  const { incident } = page;
  const start = ms(incident.started_at ?? incident.started_at_range?.[0] ?? incident.detected_at);
  const end = incident.resolved_at ? ms(incident.resolved_at) : null;
  const until = end ?? Math.max(now, start + MINUTE);
  const causes = [
    ...incident.changes.filter((c) => c.suspect).map((c) => ms(c.at)),
    ...incident.timeline.filter((e) => e.label === "trigger").map((e) => ms(e.at)),
  ].filter((at) => at >= start - BEFORE);
  const first = Math.min(start, ...causes);
  const margin = Math.max((until - first) * 0.06, MINUTE / 2);
  const from = first - margin;
  const to = until + (end ? margin : margin / 2);

  const on = (entry: TimelineDto) => ms(entry.at) >= from && ms(entry.at) <= to;
  const mark = (e: TimelineDto, form: LaneMark["form"], words?: string): LaneMark => ({
    at: ms(e.at),
    form,
    id: String(e.seq),
    hollow: e.observed === "reconstructed",
    ...(words ? { label: words } : {}),
  });
  const entries = (kinds: string[]) => incident.timeline.filter((e) => kinds.includes(e.kind) && on(e));
  const suspects = new Map(incident.changes.filter((c) => c.suspect).map((c) => [ms(c.at), told(incident, c)]));
  const short = (text: string) => (text.length > 44 ? `${text.slice(0, 42).trimEnd()}…` : text);

  const changes: Lane = {
    name: "Changes",
    marks: entries(["change"]).map((e) => mark(e, "change", short(suspects.get(ms(e.at)) ?? ""))),
    bars: [],
  };
  const impact: LaneBar[] = [
    { from: start, to: incident.mitigated_at ? ms(incident.mitigated_at) : until, tone: severity(incident.severity) },
    ...(incident.mitigated_at ? [{ from: ms(incident.mitigated_at), to: until, tone: "ok" as const }] : []),
  ];
  const people: Lane = {
    name: "You",
    marks: entries(["note", "action", "state"])
      .filter((e) => e.kind !== "state" || e.who !== null)
      .map((e) => mark(e, "person", e.label ?? undefined)),
    bars: [],
  };
  const symptoms = entries(["symptom"]);
  const hurt = whole ? apart(incident, symptoms) : [{ name: incident.subject.name, entries: symptoms }];
  const lanes: Lane[] = [
    ...(whole ? watched(page, from, until) : []),
    changes,
    ...hurt.map((lane) => ({ name: lane.name, marks: lane.entries.map((e) => mark(e, "tick")), bars: [] })),
    { name: "Impact", marks: [], bars: impact },
    ...(low ? [] : [people]),
  ];
  const gaps = gapsOf(page, lost);
  return { lanes, gaps, from, to, now: end ? null : now, label: sentence(page, gaps, start) };
}

/** What of a change stands on the axis: the part that the cause speaks of, else the first. */
function told(incident: IncidentPage["incident"], change: IncidentPage["incident"]["changes"][number]): string {
  const parts = change.summary.split("; ");
  // In which container it was is told by the list; here every letter takes room from what changed.
  const brief = (part: string) => part.replace(/ \(container [^)]*\)/, "");
  const cause = incident.causes[0]?.statement ?? "";
  const named = parts.filter((part) => cause.includes(part));
  return brief(named.toSorted((a, b) => cause.indexOf(a) - cause.indexOf(b))[0] ?? parts[0] ?? "");
}

/** Symptoms by the object that showed them, as the evidence they cite names it. */
function apart(
  incident: IncidentPage["incident"],
  symptoms: TimelineDto[],
): { name: string; entries: TimelineDto[] }[] {
  const subject = incident.subject.name;
  const objects = new Map(incident.evidence.map((e) => [e.id, e.object]));
  const lanes = new Map<string, TimelineDto[]>([[subject, []]]);
  for (const entry of symptoms) {
    const cited = entry.evidence.map((id) => objects.get(id)).filter((o) => o !== undefined);
    const shown = cited.find((o) => o.kind === "Pod") ?? cited[0];
    const name = shown?.name ?? subject;
    const known = lanes.get(name);
    if (known) known.push(entry);
    else lanes.set(name, [entry]);
  }
  const ordered = [...lanes].filter(([name]) => name !== subject).sort(([, a], [, b]) => b.length - a.length);
  // Those that would not fit share the lane of the workload.
  const rest = ordered.slice(OBJECTS).flatMap(([, of]) => of);
  const own = [...(lanes.get(subject) ?? []), ...rest];
  return [
    ...(own.length > 0 ? [{ name: subject, entries: own }] : []),
    ...ordered.slice(0, OBJECTS).map(([name, of]) => ({ name: tail(name, subject), entries: of })),
  ];
}

/** `checkout-5f8b97c6d-k2x7p` of checkout is `…-k2x7p`: the rest says nothing new. */
function tail(name: string, subject: string): string {
  const end = name.lastIndexOf("-");
  return name.startsWith(`${subject}-`) && end > 0 ? `…${name.slice(end)}` : name;
}

/** When the cluster was watched; nothing where nothing is known of that. */
function watched({ coverage }: IncidentPage, from: number, until: number): Lane[] {
  const spans = merge(coverage.map((s) => ({ from: ms(s.from), to: s.ended_by === null ? until : ms(s.to) })));
  const seen = spans.filter((s) => s.to > from && s.from < until);
  if (seen.length === 0) return [];
  return [{ name: "Coverage", marks: [], bars: seen.map((s) => ({ ...s, tone: "ok" as const })) }];
}

/** What the picture shows, in one sentence. */
function sentence({ incident }: IncidentPage, gaps: Span[], start: number): string {
  const of = (kind: string) => incident.timeline.filter((e) => e.kind === kind).length;
  const parts = [
    `${of("change")} changes, ${of("symptom")} symptoms since ${clock(start)}`,
    ...gaps.map((g) => `not recorded ${clock(g.from)} to ${clock(g.to)}`),
    incident.mitigated_at
      ? `impact over after ${span((ms(incident.mitigated_at) - start) / 1000)}`
      : "the impact goes on",
  ];
  return `Time axis of INC-${incident.number}: ${parts.join("; ")}. The timeline lists every entry.`;
}
