// How the history speaks of times and of what it found.
import type { HistoryPage, HistoryRow, MetricPlot } from "../ipc/types";
import { count, day, number, span } from "../shared/format";

/** A time to compare by: `6 s`, `4 m 12 s`, `34 m`, `2 h 10 m`, `3 days`. */
export function rough(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 600) return s % 60 === 0 && s > 0 ? `${s / 60} m` : span(s);
  if (s < 3600) return `${Math.round(s / 60)} m`;
  if (s < 86_400) return s % 3600 < 60 ? `${Math.floor(s / 3600)} h` : span(s);
  return count(Math.round(s / 86_400), "day");
}

/** How long something stayed well: `6 h 10 m` within two days, else `81 days`. */
export function well(seconds: number): string {
  return seconds < 48 * 3600 && seconds >= 86_400 ? `${Math.floor(seconds / 3600)} h` : rough(seconds);
}

export const METRICS: Record<string, string> = {
  detect: "Time to detect",
  acknowledge: "Time to acknowledge",
  mitigate: "Time to mitigate",
  resolve: "Time to resolve (MTTR)",
};

/** The first and the last quarter's median, or the one there is. */
export function trend(plot: MetricPlot): string {
  const first = plot.medians[0];
  const last = plot.medians.at(-1);
  if (first && last && first !== last) return `${rough(first.seconds)} → ${rough(last.seconds)}`;
  return plot.median_s === null ? "no median" : rough(plot.median_s);
}

/** What the plot is counted from, with what it cannot show. */
export function counted(plot: MetricPlot): string {
  const known = plot.dots.filter((dot) => dot.seconds !== null).length;
  const ranges = plot.dots.length - known;
  const head =
    plot.median_s === null
      ? `${count(known, "incident")} with a number: under 3 there is no median`
      : `Median ${rough(plot.median_s)} of ${count(known, "incident")}`;
  const rest = [
    ranges > 0 ? `${number(ranges)} only as a range` : "",
    plot.unknown > 0 ? `${number(plot.unknown)} unknown, an end lies in a gap` : "",
    plot.pending > 0 ? `${number(plot.pending)} not, or not yet` : "",
  ].filter(Boolean);
  return [head, ...rest].join("; ") + ".";
}

/** The plot as a sentence, for who does not see it. */
export function spoken(plot: MetricPlot): string {
  const quarters = plot.medians.map((m) => `${rough(m.seconds)} from ${day(m.from, Date.parse(m.to))}`);
  return `${METRICS[plot.metric] ?? plot.metric}. ${counted(plot)}${quarters.length > 0 ? ` Median by quarter: ${quarters.join(", ")}.` : ""}`;
}

/** How long one incident took from its start to its end, or why that is not said. */
export function took({ times, incident }: HistoryRow): string {
  if (times.to_resolve_s !== null) return rough(times.to_resolve_s);
  if (times.to_resolve_range_s) return `${rough(times.to_resolve_range_s[0])} to ${rough(times.to_resolve_range_s[1])}`;
  return incident.state === "resolved" ? "unknown" : "not over";
}

/** Nothing was found: what was looked for, in how much. */
export function nothing(page: HistoryPage, search: string, now: number): string {
  const looked = search.trim() ? `No incident mentions “${search.trim()}”.` : "No incident matches these filters.";
  const since = page.recorded_since ? `; before ${day(page.recorded_since, now)} nothing was recorded` : "";
  return `${looked} Searched ${count(page.of, "incident")}${since}.`;
}
