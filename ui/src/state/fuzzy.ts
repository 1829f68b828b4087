// Finding by parts of words, for the palette.

export interface Match {
  /** Higher is nearer. */
  score: number;
  /** Places in the text that answer to what was typed, ascending. */
  at: number[];
}

const START = 8;
const RUN = 5;

/** Whether a letter begins a word: after a sign, or a capital after a small letter. */
function begins(text: string, i: number): boolean {
  if (i === 0) return true;
  const before = text[i - 1] ?? "";
  const here = text[i] ?? "";
  return /[^\p{L}\p{N}]/u.test(before) || (/\p{Ll}/u.test(before) && /\p{Lu}/u.test(here));
}

/**
 * Every word typed must be found: as it stands if it does, else letter by letter in order. `null` when one is missing.
 */
export function match(query: string, text: string): Match | null {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const low = text.toLowerCase();
  // A letter whose small form is longer would shift every place after it.
  if (low.length !== text.length) return low.includes(query.toLowerCase()) ? { score: 0, at: [] } : null;
  let score = 0;
  const at = new Set<number>();
  for (const word of words) {
    const found = whole(word, text, low) ?? scattered(word, text, low);
    if (!found) return null;
    score += found.score;
    for (const i of found.at) at.add(i);
  }
  return { score: score - text.length / 100, at: [...at].sort((a, b) => a - b) };
}

function whole(word: string, text: string, low: string): Match | null {
  let best: Match | null = null;
  for (let from = low.indexOf(word); from >= 0; from = low.indexOf(word, from + 1)) {
    const score = word.length * RUN + (begins(text, from) ? START : 0);
    if (!best || score > best.score) best = { score, at: Array.from({ length: word.length }, (_, i) => from + i) };
  }
  return best;
}

/** Beginnings of words, each with as much of its word as was typed: `gi` finds Go to Incidents. */
function scattered(word: string, text: string, low: string): Match | null {
  const at: number[] = [];
  let score = 0;
  for (const letter of word) {
    const last = at.at(-1);
    let i = last !== undefined && low[last + 1] === letter ? last + 1 : -1;
    for (let j = low.indexOf(letter, (last ?? -1) + 1); i < 0 && j >= 0; j = low.indexOf(letter, j + 1)) {
      if (begins(text, j)) i = j;
    }
    if (i < 0) return null;
    score += begins(text, i) ? START / 2 : RUN / 2;
    at.push(i);
  }
  return { score, at };
}

export interface Part {
  text: string;
  hit: boolean;
}

/** The text in pieces, those that were found marked. */
export function parts(text: string, at: readonly number[]): Part[] {
  const hits = new Set(at);
  const out: Part[] = [];
  for (let i = 0; i < text.length; i++) {
    const hit = hits.has(i);
    const last = out.at(-1);
    if (last && last.hit === hit) last.text += text[i];
    else out.push({ text: text[i] ?? "", hit });
  }
  return out;
}
