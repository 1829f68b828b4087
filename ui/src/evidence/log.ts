// Reading a log: when each line was written, how grave it is, and which lines say the same thing with other numbers.

export type Level = "error" | "warning" | null;

export interface Stamp {
  /** Milliseconds: since 1970 when the line has a date, else since midnight. */
  at: number;
  dated: boolean;
}

const DATED = /^\W{0,2}(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)/;
const CLOCK = /^\W{0,2}(?:[IWEF]\d{4} )?(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,3})\d*)?/;
const IN_JSON = /"(?:time|timestamp|ts|@timestamp)"\s*:\s*(?:"([^"]+)"|(\d{10,13})(?:\.\d+)?)/;

/** When a line says it was written. */
export function stamp(line: string): Stamp | null {
  const json = line.startsWith("{") ? IN_JSON.exec(line) : null;
  const seconds = json?.[2] ? Number(json[2]) * (json[2].length > 10 ? 1 : 1000) : NaN;
  if (Number.isFinite(seconds)) return { at: seconds, dated: true };
  const dated = json?.[1] ?? DATED.exec(line)?.[1];
  if (dated) {
    // A stamp without a zone is the container's, which runs in UTC as a rule.
    const text = dated.replace(" ", "T").replace(",", ".");
    const at = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
    if (Number.isFinite(at)) return { at, dated: true };
  }
  const clock = CLOCK.exec(line);
  if (!clock) return null;
  const [, h, m, s, fraction = "0"] = clock;
  return { at: (Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1000 + Number(fraction.padEnd(3, "0")), dated: false };
}

const ERROR =
  /\b(?:ERROR|ERR|FATAL|PANIC|CRITICAL|SEVERE|EMERG)\b|^\W{0,2}[EF]\d{4} |^(?:error|fatal|panic)\b|\blevel"?[=:]\s*"?(?:error|fatal|panic|critical)\b|^(?:Traceback |Exception )|(?:Error|Exception): /;
const WARNING = /\bWARN(?:ING)?\b|^\W{0,2}W\d{4} |^warning\b|\blevel"?[=:]\s*"?warn/i;
/** How far into a line its level is looked for. */
const HEAD = 160;

export function level(line: string): Level {
  const head = line.slice(0, HEAD);
  if (ERROR.test(head)) return "error";
  return WARNING.test(head) ? "warning" : null;
}

const MESSAGE = /"(?:msg|message|log|event|error)"\s*:\s*"((?:[^"\\]|\\.)*)"/;
const PREFIX =
  /^\W{0,2}(?:\d{4}-\d\d-\d\d[T ])?(?:[IWEF]\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?\s*|^\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL)\]?:?\s+/;
const VARIES =
  /\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{12,}\b|\d+(?:[.:,]\d+)*|"[^"]*"|'[^']*'/g;

/** The line without time and level, with what varies replaced by `*`: as the rules group lines too. */
export function template(line: string): string {
  const json = line.startsWith("{") ? MESSAGE.exec(line)?.[1] : undefined;
  let text = json ?? line;
  for (let i = 0; i < 2; i++) text = text.replace(PREFIX, "");
  return text.replace(VARIES, "*").trim();
}

export interface Template {
  text: string;
  count: number;
  level: Level;
  /** The first and the last line of it, from 0. */
  first: number;
  last: number;
  /** It stands in no log of a run before; `null` where there is none to compare with. */
  fresh: boolean | null;
}

export interface Log {
  lines: string[];
  stamps: (Stamp | null)[];
  levels: Level[];
  /** Ranked: what the runs before did not say, then by level, then the rarer first. */
  templates: Template[];
  /** For each line, the text of its template. */
  of: string[];
}

/** Lines between two rests. */
const STRETCH = 4_000;
const RANK = { error: 0, warning: 1, none: 2 };
const rank = (level: Level) => RANK[level ?? "none"];

/** Lines of a text; the end of the last one opens no other. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Reads a log in stretches, and tells after each how many lines are done. `before`: templates of earlier runs. */
export function* reading(text: string, before: ReadonlySet<string> | null): Generator<number, Log> {
  const lines = linesOf(text);
  const stamps: Log["stamps"] = [];
  const levels: Level[] = [];
  const of: string[] = [];
  const known = new Map<string, Template>();
  for (const [i, line] of lines.entries()) {
    const grave = level(line);
    const text = template(line);
    stamps.push(stamp(line));
    levels.push(grave);
    of.push(text);
    const there = known.get(text);
    if (there) {
      there.count++;
      there.last = i;
      if (rank(grave) < rank(there.level)) there.level = grave;
    } else {
      known.set(text, { text, count: 1, level: grave, first: i, last: i, fresh: before ? !before.has(text) : null });
    }
    if ((i + 1) % STRETCH === 0) yield i + 1;
  }
  const templates = [...known.values()]
    .filter((t) => t.text !== "")
    .sort(
      (a, b) =>
        Number(b.fresh ?? false) - Number(a.fresh ?? false) || rank(a.level) - rank(b.level) || a.count - b.count,
    );
  return { lines, stamps, levels, templates, of };
}

/** The whole of it at once, for logs that are short. */
export function read(text: string, before: ReadonlySet<string> | null = null): Log {
  const steps = reading(text, before);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

export interface Bar {
  from: number;
  to: number;
  count: number;
  warnings: number;
  errors: number;
}

export interface Histogram {
  bars: Bar[];
  /** Seconds a bar stands for. */
  step: number;
  dated: boolean;
  most: number;
}

const BARS = 60;

/** Lines over time: a bar per second, or sixty. Lines without a time belong to the one before them. */
export function histogram(log: Pick<Log, "stamps" | "levels">): Histogram | null {
  const first = log.stamps.find((s) => s !== null);
  if (!first) return null;
  let from = Infinity;
  let to = -Infinity;
  for (const s of log.stamps) {
    if (!s || s.dated !== first.dated) continue;
    from = Math.min(from, s.at);
    to = Math.max(to, s.at);
  }
  from = Math.floor(from / 1000) * 1000;
  const seconds = Math.floor((to - from) / 1000) + 1;
  if (seconds < 2) return null;
  const step = Math.ceil(seconds / BARS);
  const bars: Bar[] = Array.from({ length: Math.ceil(seconds / step) }, (_, i) => ({
    from: from + i * step * 1000,
    to: from + (i + 1) * step * 1000,
    count: 0,
    warnings: 0,
    errors: 0,
  }));
  let at = first.at;
  for (const [i, s] of log.stamps.entries()) {
    if (s && s.dated === first.dated) at = s.at;
    const bar = bars[Math.floor((at - from) / (step * 1000))];
    if (!bar) continue;
    bar.count++;
    if (log.levels[i] === "error") bar.errors++;
    else if (log.levels[i] === "warning") bar.warnings++;
  }
  return { bars, step, dated: first.dated, most: Math.max(...bars.map((b) => b.count)) };
}
