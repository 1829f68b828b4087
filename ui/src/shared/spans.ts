// Arithmetic of spans of time, for the watch line and the lanes.

export interface Span {
  from: number;
  to: number;
}

/** Spans merged where they touch or overlap, in order. */
export function merge(spans: readonly Span[], slack = 0): Span[] {
  const out: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last && span.from <= last.to + slack) last.to = Math.max(last.to, span.to);
    else out.push({ ...span });
  }
  return out;
}

/** What lies between spans. The time before the first is no gap: nobody had asked to watch. */
export function between(spans: readonly Span[], until: number): Span[] {
  const merged = merge(spans);
  return merged.flatMap((span, i) => {
    const next = merged[i + 1]?.from ?? until;
    return next > span.to ? [{ from: span.to, to: next }] : [];
  });
}

/** The parts of a span outside (`seen`) and inside (`unseen`) of the gaps. */
export function cut(span: Span, gaps: readonly Span[]): { seen: Span[]; unseen: Span[] } {
  const seen: Span[] = [];
  const unseen: Span[] = [];
  let from = span.from;
  for (const gap of merge(gaps)) {
    if (gap.to <= from || gap.from >= span.to) continue;
    if (gap.from > from) seen.push({ from, to: gap.from });
    unseen.push({ from: Math.max(from, gap.from), to: Math.min(span.to, gap.to) });
    from = gap.to;
  }
  if (from < span.to) seen.push({ from, to: span.to });
  return { seen, unseen };
}

const STEPS = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 172_800, 604_800];

/** Round moments between the ends, about `wanted` of them. `offset`: how far the zone is from UTC, in ms. */
export function ticks(from: number, to: number, wanted: number, offset = 0): number[] {
  const step = (STEPS.find((s) => (to - from) / 1000 / s <= wanted) ?? STEPS.at(-1) ?? 1) * 1000;
  const out: number[] = [];
  for (let t = Math.ceil((from + offset) / step) * step - offset; t <= to; t += step) out.push(t);
  return out;
}
