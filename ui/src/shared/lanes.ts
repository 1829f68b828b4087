// Where the marks of a lane stand: the arithmetic of `Swimlane`, apart from the page.
import { merge, type Span } from "./spans";

export interface LaneMark {
  at: number;
  form: "change" | "tick" | "person";
  /** The row of the list that says the same. */
  id?: string;
  /** Put together afterwards: dashed and open. */
  hollow?: boolean;
  label?: string;
}
export interface LaneBar {
  from: number;
  to: number;
  tone: "critical" | "high" | "medium" | "low" | "ok";
}
export interface Lane {
  name: string;
  marks: LaneMark[];
  bars: LaneBar[];
}

/** Where a moment stands on the axis, from 0 to 1; beyond that it is out of sight. */
export function share(at: number, axis: Span): number {
  return (at - axis.from) / (axis.to - axis.from);
}

/** As many ticks in so many pixels are one bar with a count. */
const CROWD = 60;
const CELL = 40;

export interface Crowd extends Span {
  count: number;
}

/** What is drawn of a lane's marks on an axis of this many pixels: those in sight, and bars where they are too many. */
export function thinned(marks: readonly LaneMark[], axis: Span, width: number): { marks: LaneMark[]; crowds: Crowd[] } {
  const cells = new Map<number, LaneMark[]>();
  for (const mark of marks) {
    const at = share(mark.at, axis);
    if (at < 0 || at > 1) continue;
    const cell = Math.floor((at * width) / CELL);
    const there = cells.get(cell);
    if (there) there.push(mark);
    else cells.set(cell, [mark]);
  }
  const out: { marks: LaneMark[]; crowds: Crowd[] } = { marks: [], crowds: [] };
  for (const there of cells.values()) {
    if (there.length <= CROWD) out.marks.push(...there);
    else {
      const times = there.map((m) => m.at);
      out.crowds.push({
        from: times.reduce((a, b) => Math.min(a, b)),
        to: times.reduce((a, b) => Math.max(a, b)),
        count: there.length,
      });
    }
  }
  return out;
}

/** About how wide a letter is, to keep labels from running into each other. */
const LETTER = 6.6;
const MARK = 6;
const APART = 10;

export interface Label {
  mark: LaneMark;
  anchor: "start" | "end";
  dx: number;
  /** From where to where it reaches, in pixels. */
  reach: [number, number];
}

/** Each label on the free side of its mark; those that would collide are left to the list. */
export function placed(marks: readonly LaneMark[], axis: Span, width: number): Label[] {
  const labelled = marks.filter((m) => m.label);
  const at = (m: LaneMark) => share(m.at, axis) * width;
  const taken: [number, number, LaneMark | null][] = marks.map((m) => [at(m) - MARK, at(m) + MARK, m]);
  return labelled.flatMap((mark): Label[] => {
    const x = at(mark);
    const long = (mark.label ?? "").length * LETTER;
    const sides: [Label["anchor"], number, number][] = [
      ["start", x + APART, x + APART + long],
      ["end", x - APART - long, x - APART],
    ];
    for (const [anchor, a, b] of sides) {
      if (a < 0 || b > width) continue;
      if (taken.some(([c, d, of]) => of !== mark && a < d && c < b)) continue;
      taken.push([a, b, null]);
      return [{ mark, anchor, dx: anchor === "start" ? APART : -APART, reach: [a, b] }];
    }
    return [];
  });
}

/** The shortest stretch that can be looked at. */
const SHORTEST = 10_000;

/** A part of the whole axis, `factor` times as long, that keeps `anchor` where it is. `null` is the whole. */
export function zoomed(whole: Span, view: Span | null, anchor: number, factor: number): Span | null {
  const now = view ?? whole;
  const long = Math.max(SHORTEST, (now.to - now.from) * factor);
  if (long >= whole.to - whole.from) return null;
  const held = Math.min(Math.max(anchor, now.from), now.to);
  const from = held - share(held, now) * long;
  return within(whole, { from, to: from + long });
}

/** The view moved as little as needed to have this moment in sight. */
export function showing(whole: Span, view: Span | null, at: number): Span | null {
  if (!view || (at >= view.from && at <= view.to)) return view;
  const long = view.to - view.from;
  const from = at < view.from ? at - long * 0.1 : at - long * 0.9;
  return within(whole, { from, to: from + long });
}

function within(whole: Span, view: Span): Span {
  const long = view.to - view.from;
  const from = Math.min(Math.max(view.from, whole.from), whole.to - long);
  return { from, to: from + long };
}

/** Gaps as wide as they are on the axis, in shares of it, those out of sight left out. */
export function gapsOn(gaps: readonly Span[], axis: Span): Span[] {
  return merge(gaps)
    .filter((g) => g.to > axis.from && g.from < axis.to)
    .map((g) => ({ from: Math.max(0, share(g.from, axis)), to: Math.min(1, share(g.to, axis)) }));
}
