// The history of the made-up program: what lies behind the inbox, and the figures over it. Every figure is counted from
// the rows, so that the screen shows nothing that does not tie together.
import { at } from "./story/time";
import { others, summary } from "./story/others";
import { incident } from "./story/checkout";
import type {
  HistoryInsights,
  HistoryPage,
  HistoryQuery,
  HistoryRow,
  IncidentDto,
  MetricPlot,
  OccurrenceDto,
  RecurrenceDto,
} from "./types";

const DAY = 86_400_000;
const BEGINS = "2026-03-03T08:12:00Z";

type Story = [title: string, severity: string, cluster: string, namespace: string | null, kind: string, name: string];
const CHECKOUT: Story = ["checkout killed for memory", "critical", "prod-eu", "shop", "Deployment", "checkout"];
const THUMBS: Story = ["CronJob thumbnail-gc failed", "medium", "prod-eu", "media", "CronJob", "thumbnail-gc"];
const SEARCH: Story = [
  "search-indexer restarted: liveness probe",
  "medium",
  "prod-eu",
  "search",
  "Deployment",
  "search-indexer",
];
const ONCE: Story[] = [
  ["payments waits for a node", "high", "staging-eu", "web", "Deployment", "payments"],
  ["Node worker-2 was not ready", "high", "prod-eu", null, "Node", "worker-2"],
  ["cart cannot pull its image", "high", "staging-eu", "shop", "Deployment", "cart"],
  ["mailer: Secret mailer-smtp has no key password", "high", "prod-eu", "mail", "Deployment", "mailer"],
  [
    "PersistentVolumeClaim exports waits for a volume",
    "low",
    "staging-eu",
    "reports",
    "PersistentVolumeClaim",
    "exports",
  ],
  ["order-worker killed for memory", "critical", "prod-eu", "shop", "Deployment", "order-worker"],
  ["Ingress docs names a Service that is not there", "medium", "staging-eu", "docs", "Ingress", "docs"],
];

/** Started, and how many minutes until it was well; the three of checkout are those of the design. */
const FIXED: Record<number, [Story, string, number]> = {
  12: [CHECKOUT, "2026-06-12T06:10:00Z", 26],
  13: [CHECKOUT, "2026-06-12T12:46:00Z", 34],
  31: [CHECKOUT, "2026-09-01T19:30:00Z", 31],
};

/** The same numbers at every start. */
function random(seed: number): () => number {
  return () => ((seed = (seed * 16_807) % 2_147_483_647) - 1) / 2_147_483_646;
}

function row(number: number, story: Story, started: number, wellS: number, next: () => number): HistoryRow {
  const [title, severity, cluster, namespace, kind, name] = story;
  const toDetect = 4 + next() * 40;
  const toResolve = wellS + 600;
  const iso = (t: number) => new Date(t).toISOString();
  const lost = number % 11 === 5;
  const range = number % 9 === 4;
  const pair = (s: number): [number, number] => [s * 0.6, s * 2.1];
  const acknowledged = severity !== "low" && number % 4 !== 0;
  return {
    incident: {
      ...summary(incident),
      id: `01995f2a-7c00-7000-8000-${String(number).padStart(12, "0")}`,
      number,
      title,
      state: "resolved",
      severity,
      cluster,
      namespace,
      subject_kind: kind,
      subject_name: name,
      started_at: iso(started),
      detected_at: iso(started + toDetect * 1000),
      resolved_at: iso(started + toResolve * 1000),
      cause: null,
      verdict: "likely",
      revision: number,
    },
    mitigated_at: iso(started + wellS * 1000),
    times: {
      to_detect_s: lost || range ? null : toDetect,
      to_acknowledge_s: acknowledged ? 60 + next() * 900 : null,
      to_mitigate_s: lost || range ? null : wellS,
      to_resolve_s: lost || range ? null : toResolve,
      basis: {
        to_detect: lost ? "unknown" : range ? "range" : "known",
        to_acknowledge: acknowledged ? "known" : "pending",
        to_mitigate: lost ? "unknown" : range ? "range" : "known",
        to_resolve: lost ? "unknown" : range ? "range" : "known",
      },
      to_detect_range_s: range ? pair(toDetect) : null,
      to_mitigate_range_s: range ? pair(wellS) : null,
      to_resolve_range_s: range ? pair(toResolve) : null,
    },
    reopened: number % 13 === 0 ? 1 : 0,
    ticket: number === 31 ? "https://tracker.acme.example/OPS-412" : null,
  };
}

/** As many rows of the past as asked for, and before them what the inbox holds. */
export function past(many = 40): HistoryRow[] {
  const next = random(47);
  const from = Date.parse(BEGINS) + DAY;
  const to = Date.parse(at("06:00:00", 8));
  const rows: HistoryRow[] = [];
  for (let i = 1; i <= many; i++) {
    const fixed = many === 40 ? FIXED[i] : undefined;
    const even = from + ((to - from) * (i - 1)) / many;
    const story = i % 6 === 1 ? THUMBS : i % 9 === 3 ? SEARCH : ONCE[Math.floor(next() * ONCE.length)];
    const minutes = Math.exp(Math.log(6) + next() * Math.log(40));
    const [s, started, well] = fixed ?? [story ?? THUMBS, new Date(even).toISOString(), minutes];
    rows.push(row(i, s, Date.parse(started), well * 60, next));
  }
  return rows.reverse();
}

/** A row of what the inbox holds anyway. */
export function rowOf(i: IncidentDto): HistoryRow {
  const since = (at: string | null) =>
    at === null || i.started_at === null ? null : (Date.parse(at) - Date.parse(i.started_at)) / 1000;
  const acknowledged = i.acknowledged_at ? (Date.parse(i.acknowledged_at) - Date.parse(i.detected_at)) / 1000 : null;
  const [mitigated, resolved] = [since(i.mitigated_at ?? i.resolved_at), since(i.resolved_at)];
  const basis = (value: number | null) => (value === null ? "pending" : "known");
  return {
    incident: summary(i),
    mitigated_at: i.mitigated_at ?? i.resolved_at,
    times: {
      ...i.times,
      to_acknowledge_s: acknowledged,
      to_mitigate_s: mitigated,
      to_resolve_s: resolved,
      basis: {
        ...i.times.basis,
        to_acknowledge: basis(acknowledged),
        to_mitigate: basis(mitigated),
        to_resolve: basis(resolved),
      },
    },
    reopened: 0,
    ticket: i.ticket,
  };
}

/** What the incident page shows of a row that is only in the history. */
export function incidentOf({ incident: row, mitigated_at, times }: HistoryRow): IncidentDto {
  const like = others[3] ?? incident;
  return {
    ...like,
    ...row,
    subject: {
      api_version: "apps/v1",
      kind: row.subject_kind,
      namespace: row.namespace,
      name: row.subject_name,
      uid: null,
    },
    mitigated_at,
    times,
  };
}

function chosen(rows: readonly HistoryRow[], query: HistoryQuery, now: number): HistoryRow[] {
  const words = (query.search ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(({ incident: i }) => {
    const text = `INC-${i.number} ${i.title} ${i.cluster} ${i.namespace ?? ""} ${i.subject_kind} ${i.subject_name} ${i.cause ?? ""}`;
    return (
      words.every((word) => text.toLowerCase().includes(word)) &&
      (query.cluster === null || i.cluster === query.cluster) &&
      (query.severity === null || i.severity === query.severity) &&
      (query.days === null || now - Date.parse(i.resolved_at ?? new Date(now).toISOString()) < query.days * DAY)
    );
  });
}

export function historyPage(rows: readonly HistoryRow[], query: HistoryQuery, now: number): HistoryPage {
  const matching = chosen(rows, query, now);
  return {
    incidents: matching.slice(query.offset, query.offset + query.limit),
    total: matching.length,
    of: rows.length,
    recorded_since: rows.length > 0 ? BEGINS : null,
    clusters: [...new Set(rows.map((r) => r.incident.cluster))].sort(),
  };
}

const WORDS = {
  detect: "started to detected",
  acknowledge: "detected to acknowledged by a person",
  mitigate: "started to mitigated: the time users suffered",
  resolve: "started to resolved (MTTR), the minutes in which it had to stay well included",
} as const;

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? 0, sorted[Math.floor(middle)] ?? 0];
  return (low + high) / 2;
}

function plot(metric: keyof typeof WORDS, rows: readonly HistoryRow[]): MetricPlot {
  const oldest = [...rows].reverse();
  const of = (r: HistoryRow) => ({
    seconds: r.times[`to_${metric}_s`],
    range_s: metric === "acknowledge" ? null : r.times[`to_${metric}_range_s`],
    basis: r.times.basis[`to_${metric}`],
  });
  const dots = oldest.flatMap((r) => {
    const { seconds, range_s } = of(r);
    if (seconds === null && range_s === null) return [];
    return [{ id: r.incident.id, number: r.incident.number, at: r.incident.detected_at, seconds, range_s }];
  });
  const known = dots.flatMap((d) => (d.seconds === null ? [] : [{ at: d.at, seconds: d.seconds }]));
  const quarters = new Map<string, number[]>();
  for (const { at: when, seconds } of known) {
    const d = new Date(when);
    const from = new Date(Date.UTC(d.getUTCFullYear(), Math.floor(d.getUTCMonth() / 3) * 3, 1)).toISOString();
    quarters.set(from, [...(quarters.get(from) ?? []), seconds]);
  }
  const count = (basis: string) => rows.filter((r) => of(r).basis === basis).length;
  return {
    metric,
    definition: WORDS[metric],
    dots,
    medians: [...quarters]
      .filter(([, values]) => values.length >= 3)
      .map(([from, values]) => {
        const d = new Date(from);
        const to = new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 3, 1)).toISOString();
        return { from, to, seconds: median(values), of: values.length };
      }),
    median_s: known.length >= 3 ? median(known.map((k) => k.seconds)) : null,
    unknown: count("unknown"),
    pending: count("pending"),
  };
}

const BY: Record<number, string> = {
  12: "restarted",
  13: "limit 384Mi → 512Mi",
  31: "rolled back to 4.8.3",
};

function recurring(rows: readonly HistoryRow[]): RecurrenceDto[] {
  const groups = new Map<string, HistoryRow[]>();
  for (const r of [...rows].reverse()) {
    const key = `${r.incident.cluster}/${r.incident.namespace}/${r.incident.subject_name}`;
    groups.set(key, [...(groups.get(key) ?? []), r]);
  }
  const gap = { from: "2026-08-05T06:00:00Z", to: "2026-08-19T06:00:00Z", cause: "Afterwatch was not running" };
  return [...groups.values()]
    .filter((g) => g.length > 1)
    .map((g) => {
      const occurrences = g.map((r, i): OccurrenceDto => {
        const well = r.mitigated_at;
        const back = g[i + 1]?.incident.started_at ?? null;
        return {
          id: r.incident.id,
          number: r.incident.number,
          started_at: r.incident.started_at ?? r.incident.detected_at,
          well_at: well,
          recovered_by: BY[r.incident.number] ?? null,
          back_at: back,
          gaps: well && well < gap.from && (back === null || back > gap.to) ? [gap] : [],
        };
      });
      const newest = g.at(-1)?.incident ?? summary(incident);
      return {
        title: newest.title,
        cluster: newest.cluster,
        namespace: newest.namespace,
        subject_kind: newest.subject_kind,
        subject_name: newest.subject_name,
        occurrences,
        longest_well_s: Math.max(
          ...occurrences.map((o) =>
            o.well_at && o.back_at ? (Date.parse(o.back_at) - Date.parse(o.well_at)) / 1000 : 0,
          ),
        ),
      };
    })
    .sort((a, b) => b.occurrences.length - a.occurrences.length);
}

export function historyInsights(rows: readonly HistoryRow[], query: HistoryQuery, now: number): HistoryInsights {
  const matching = chosen(rows, query, now);
  return {
    recurring: recurring(matching),
    plots: (["detect", "acknowledge", "mitigate", "resolve"] as const).map((metric) => plot(metric, matching)),
    recorded_since: rows.length > 0 ? BEGINS : null,
  };
}
