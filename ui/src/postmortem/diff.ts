// Differences between two texts, by lines or by paragraphs.

export interface Step<T> {
  kind: "same" | "del" | "add";
  of: T;
}

/** How many cells the table of comparisons may have; beyond that the middle counts as replaced. */
const MOST = 4_000_000;

/** What stays, goes and comes, in order: the longest common run of items stays. */
export function steps<T>(before: readonly T[], after: readonly T[]): Step<T>[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const room = () => Math.min(before.length, after.length) - head;
  while (tail < room() && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const from = before.slice(head, before.length - tail);
  const to = after.slice(head, after.length - tail);
  const is = (kind: Step<T>["kind"]) => (of: T) => ({ kind, of });
  return [
    ...before.slice(0, head).map(is("same")),
    ...(from.length * to.length > MOST ? [...from.map(is("del")), ...to.map(is("add"))] : middle(from, to)),
    ...before.slice(before.length - tail).map(is("same")),
  ];
}

function middle<T>(from: readonly T[], to: readonly T[]): Step<T>[] {
  const wide = to.length + 1;
  // How much is in common from here to the end.
  const common = new Uint32Array((from.length + 1) * wide);
  const at = (i: number, j: number) => common[i * wide + j] ?? 0;
  for (let i = from.length - 1; i >= 0; i--)
    for (let j = to.length - 1; j >= 0; j--)
      common[i * wide + j] = from[i] === to[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const out: Step<T>[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [del, add] = [from[i], to[j]];
    if (i < from.length && j < to.length && del === add) {
      out.push({ kind: "same", of: del as T });
      i++;
      j++;
    } else if (i < from.length && (j >= to.length || at(i + 1, j) >= at(i, j + 1))) {
      out.push({ kind: "del", of: del as T });
      i++;
    } else {
      out.push({ kind: "add", of: add as T });
      j++;
    }
  }
  return out;
}

const SIGN = { same: " ", del: "-", add: "+" } as const;
/** Lines around a difference that are shown. */
const AROUND = 2;

/** A difference as text with a sign before each line; what is the same for long is left out. Empty: no difference. */
export function lineDiff(before: string, after: string): string {
  const all = steps(before.split("\n"), after.split("\n"));
  const near = all.map((_, n) => all.slice(Math.max(0, n - AROUND), n + AROUND + 1).some((s) => s.kind !== "same"));
  if (!near.includes(true)) return "";
  const out: string[] = [];
  let left = 0;
  const skip = () => {
    if (left > 0) out.push(` … ${left === 1 ? "1 line" : `${left} lines`} the same`);
    left = 0;
  };
  for (const [n, step] of all.entries()) {
    if (!near[n]) {
      left++;
      continue;
    }
    skip();
    out.push(SIGN[step.kind] + step.of);
  }
  skip();
  return out.join("\n");
}

/** A stretch of paragraphs: the same in both, or replaced. */
export interface Hunk {
  same: boolean;
  before: string[];
  after: string[];
}

/** Two texts paragraph by paragraph; items of a list count as paragraphs, so that each can be taken by itself. */
export function hunks(before: string, after: string): Hunk[] {
  const out: Hunk[] = [];
  for (const step of steps(blocks(before), blocks(after))) {
    const same = step.kind === "same";
    let hunk = out.at(-1);
    if (hunk?.same !== same) out.push((hunk = { same, before: [], after: [] }));
    if (step.kind !== "add") hunk.before.push(step.of);
    if (step.kind !== "del") hunk.after.push(step.of);
  }
  return out;
}

/** The text with only the chosen changes taken. */
export function take(of: readonly Hunk[], taken: (hunk: Hunk) => boolean): string {
  return of
    .flatMap((hunk) => (hunk.same || !taken(hunk) ? hunk.before : hunk.after))
    .reduce((text, block) => text + (text && !(isRow(text) && isRow(block)) ? "\n\n" : text ? "\n" : "") + block, "");
}

/** Items of one list, and rows of one table, follow each other without an empty line. */
const isRow = (text: string) => /^\s*(?:[-*+]|\d+[.)]|\|)/.test(text.slice(text.lastIndexOf("\n") + 1));

function blocks(text: string): string[] {
  return text
    .trim()
    .split(/\n[ \t]*\n+/)
    .flatMap((block) => block.split(/\n(?=\s*(?:[-*+] |\d+[.)] |\|))/))
    .filter(Boolean);
}
