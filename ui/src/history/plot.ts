// Where things stand in the plots of the history. Pure: times in milliseconds, x in per cent, y in pixels.
import type { MetricPlot, OccurrenceDto, RecurrenceDto } from "../ipc/types";
import { day, offset } from "../shared/format";
import { cut, ticks, type Span } from "../shared/spans";
import { rough, well } from "./words";

const DAY = 86_400_000;

/** The span the plots show: what was asked for, but not much more than there is a record of. */
export function window(days: number | null, recordedSince: string | null, now: number): Span {
  const began = recordedSince === null ? now : Date.parse(recordedSince);
  // Some of the time before is shown, hatched, so that the beginning is seen as one.
  const spare = Math.max(DAY, (now - began) * 0.12);
  const asked = days === null ? -Infinity : now - days * DAY;
  return { from: Math.max(asked, began - spare), to: now };
}

/** Where a time stands between the ends, in per cent, never outside. */
export function x(at: number, { from, to }: Span): number {
  return (Math.min(Math.max(at, from), to) - from) / ((to - from) / 100);
}

export interface AxisMark {
  x: number;
  label: string;
}

const MONTHS = [1, 2, 3, 6, 12];

/** Round moments of the calendar, at most `most` of them: months over a long span, days over a short one. */
export function calendar(span: Span, most: number): AxisMark[] {
  const mark = (at: number, label: string) => ({ x: x(at, span), label });
  if (span.to - span.from < 100 * DAY) {
    return ticks(span.from, span.to, most, offset(span.from)).map((at) => mark(at, day(at, span.to)));
  }
  const months = (span.to - span.from) / (30 * DAY);
  const step = MONTHS.find((s) => Math.floor(months / s) <= most) ?? 12;
  const first = new Date(span.from + offset(span.from));
  const out: AxisMark[] = [];
  for (let m = first.getUTCMonth(); ; m++) {
    const utc = Date.UTC(first.getUTCFullYear(), m, 1);
    const at = utc - offset(utc);
    if (at > span.to) return out;
    const date = new Date(utc);
    if (at < span.from || date.getUTCMonth() % step !== 0) continue;
    const year = date.getUTCMonth() === 0;
    const words: Intl.DateTimeFormatOptions = year ? { year: "numeric" } : { month: "short" };
    out.push(mark(at, date.toLocaleDateString("en-GB", { ...words, timeZone: "UTC" })));
  }
}

/** The log axis of times: its ends in seconds, and the lines that are drawn across. */
export interface LogAxis {
  least: number;
  most: number;
  lines: number[];
}

const MINUTE = 60;
const HOUR = 3600;
const LINES = [1, 10, MINUTE, 5 * MINUTE, 30 * MINUTE, 3 * HOUR, 24 * HOUR, 7 * 24 * HOUR];

/** 2 m to 8 h, and as much more as what is shown needs. */
export function logAxis(values: readonly number[]): LogAxis {
  const least = Math.max(0.5, Math.min(2 * MINUTE, ...values.map((v) => v / 1.3)));
  const most = Math.max(8 * HOUR, ...values.map((v) => v * 1.3));
  const inside = LINES.filter((line) => line > least * 1.5 && line < most / 1.5);
  // Three lines are enough to read a value off; they stand as evenly as may be.
  const few =
    inside.length <= 3 ? inside : [0, 1, 2].map((i) => inside[Math.round((i * (inside.length - 1)) / 2)] ?? 0);
  return { least, most, lines: few };
}

/** Where a span of seconds stands: the longer, the higher. */
export function y(seconds: number, axis: LogAxis, top: number, bottom: number): number {
  const share = Math.log(Math.max(seconds, axis.least) / axis.least) / Math.log(axis.most / axis.least);
  return bottom - Math.min(1, share) * (bottom - top);
}

export interface Drawn {
  /** Lines across, each with its words. */
  lines: { y: number; label: string }[];
  /** One for each incident that has a number. */
  dots: { x: number; y: number }[];
  /** One for each incident whose time is between two numbers. */
  ranges: { x: number; low: number; high: number }[];
  medians: { from: number; to: number; y: number }[];
  /** Up to here nothing was recorded. */
  hatched: number;
  axis: AxisMark[];
}

/** One metric as it is drawn between `top` and `bottom`. */
export function draw(plot: MetricPlot, span: Span, recordedSince: string | null, top: number, bottom: number): Drawn {
  const inside = plot.dots.filter((dot) => Date.parse(dot.at) >= span.from);
  const medians = plot.medians.filter((m) => Date.parse(m.to) > span.from);
  const values = [
    ...inside.flatMap((dot) => (dot.seconds === null ? (dot.range_s ?? []) : [dot.seconds])),
    ...medians.map((m) => m.seconds),
  ];
  const scale = logAxis(values);
  const height = (seconds: number) => y(seconds, scale, top, bottom);
  return {
    lines: scale.lines.map((line) => ({ y: height(line), label: rough(line) })),
    dots: inside.flatMap((dot) =>
      dot.seconds === null ? [] : [{ x: x(Date.parse(dot.at), span), y: height(dot.seconds) }],
    ),
    ranges: inside.flatMap((dot) =>
      dot.seconds !== null || dot.range_s === null
        ? []
        : [{ x: x(Date.parse(dot.at), span), low: height(dot.range_s[0]), high: height(dot.range_s[1]) }],
    ),
    medians: medians.map((m) => ({
      from: x(Date.parse(m.from), span),
      to: x(Date.parse(m.to), span),
      y: height(m.seconds),
    })),
    hatched: before(recordedSince, span),
    axis: calendar(span, 4),
  };
}

/** How much of the plot lies before anything was recorded, in per cent. */
export function before(recordedSince: string | null, span: Span): number {
  return recordedSince === null ? 100 : x(Date.parse(recordedSince), span);
}

export interface RecurrenceRow {
  occurrence: OccurrenceDto;
  started: number;
  /** Where it stayed well, as far as that was seen. */
  seen: { from: number; to: number }[];
  /** Where it is not known, because nothing was recorded. */
  unseen: { from: number; to: number }[];
  /** Where the row ends to the right. */
  end: number;
  /** What put it right and how long that held, in words. */
  words: string;
  /** How long that held alone. */
  short: string;
}

/** One row for each time a fault came, with how long it stayed well afterwards. */
export function recurrenceRows(fault: RecurrenceDto, span: Span): RecurrenceRow[] {
  return fault.occurrences.map((occurrence) => {
    const started = x(Date.parse(occurrence.started_at), span);
    const held = wellSpan(occurrence, span.to);
    const parts = held ? cut(held, occurrence.gaps.map(toSpan)) : { seen: [], unseen: [] };
    const place = (s: Span) => ({ from: x(s.from, span), to: x(s.to, span) });
    const unseen = parts.unseen.reduce((sum, s) => sum + s.to - s.from, 0) / 1000;
    const how = occurrence.recovered_by ? `${occurrence.recovered_by}, ` : "";
    const short = held
      ? `well for ${well((held.to - held.from) / 1000)}${occurrence.back_at ? "" : " so far"}`
      : "not well yet";
    return {
      occurrence,
      started,
      seen: parts.seen.map(place),
      unseen: parts.unseen.map(place),
      end: held ? x(held.to, span) : started,
      words: `${how}${short}${unseen > 0 ? `, of which ${well(unseen)} not recorded` : ""}`,
      short,
    };
  });
}

/** From when it was well until it came back, or until now; `null` while it is not well. */
export function wellSpan(occurrence: OccurrenceDto, now: number): Span | null {
  if (occurrence.well_at === null) return null;
  const from = Date.parse(occurrence.well_at);
  const to = occurrence.back_at === null ? now : Date.parse(occurrence.back_at);
  return to > from ? { from, to } : null;
}

/** Every gap of the rows, as it is hatched over all of them. */
export function hatches(fault: RecurrenceDto, span: Span): { from: number; to: number }[] {
  return fault.occurrences
    .flatMap((o) => o.gaps.map(toSpan))
    .filter((gap) => gap.to > span.from)
    .map((gap) => ({ from: x(gap.from, span), to: x(gap.to, span) }));
}

const toSpan = (gap: { from: string; to: string }): Span => ({ from: Date.parse(gap.from), to: Date.parse(gap.to) });
