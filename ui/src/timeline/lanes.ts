// From the record to the picture: which lanes there are and what stands on them.
import type { IncidentPage, TimelineDto } from "../ipc/types";
import { clock, span } from "../shared/format";
import { merge, type Span } from "../shared/spans";
import type { Lane, LaneMark } from "../shared/Swimlane.svelte";
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

/** `lost`: while the cluster is out of sight, the time since it was last heard. */
export function picture(page: IncidentPage, now: number, lost: Span | null = null): Picture {
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
  const marks = (
    kinds: string[],
    form: LaneMark["form"],
    label: (e: TimelineDto) => string | undefined,
    where: (e: TimelineDto) => boolean = () => true,
  ): LaneMark[] =>
    incident.timeline
      .filter((e) => kinds.includes(e.kind) && on(e) && where(e))
      .map((e) => {
        const words = label(e);
        return { at: ms(e.at), form, hollow: e.observed === "reconstructed", ...(words ? { label: words } : {}) };
      });

  const suspects = incident.changes.filter((c) => c.suspect).map((c) => [ms(c.at), c.summary] as const);
  const short = (text: string) => (text.length > 44 ? `${text.slice(0, 42).trimEnd()}…` : text);
  const lanes: Lane[] = [
    {
      name: "Changes",
      marks: marks(["change"], "change", (e) => {
        const suspect = suspects.find(([at]) => at === ms(e.at));
        return suspect ? short(suspect[1].split(", ")[0] ?? "") : undefined;
      }),
      bars: [],
    },
    { name: incident.subject.name, marks: marks(["symptom"], "tick", () => undefined), bars: [] },
    {
      name: "Impact",
      marks: [],
      bars: [
        {
          from: start,
          to: incident.mitigated_at ? ms(incident.mitigated_at) : until,
          tone: severity(incident.severity),
        },
        ...(incident.mitigated_at ? [{ from: ms(incident.mitigated_at), to: until, tone: "ok" as const }] : []),
      ],
    },
    {
      name: "You",
      marks: marks(
        ["note", "action", "state"],
        "person",
        (e) => e.label ?? undefined,
        (e) => e.kind !== "state" || e.who !== null,
      ),
      bars: [],
    },
  ];
  const gaps = gapsOf(page, lost);
  return { lanes, gaps, from, to, now: end ? null : now, label: sentence(page, gaps, start) };
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
