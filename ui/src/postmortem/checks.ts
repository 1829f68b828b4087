// What the sentences of a post-mortem rest on, in words and as changes of the text.
import type { CitationsDto, SentenceDto } from "../ipc/types";

export type Standing = "cites" | "not_established" | "nothing" | "unknown";

export const of = (citations: CitationsDto, standing: Standing): SentenceDto[] =>
  citations.sentences.filter((s) => s.standing === standing);

/** The sentences somebody must look at. */
export const open = (citations: CitationsDto): SentenceDto[] =>
  citations.sentences.filter((s) => s.standing === "nothing" || s.standing === "unknown");

/** The next of them after the caret, from the beginning again after the last. */
export function nextOf(sentences: readonly SentenceDto[], caret: number): SentenceDto | undefined {
  return sentences.find((s) => s.from > caret) ?? sentences[0];
}

/** How much of a sentence is shown in a narrow column. */
export function short(text: string, most = 64): string {
  return text.length <= most ? text : `…${text.slice(text.length - most).replace(/^\S*\s+/, "")}`;
}

export const MARK = "*Not established:* ";

/** The change that says of a sentence that it is not established. */
export function mark(sentence: SentenceDto): { from: number; insert: string } {
  return { from: sentence.from, insert: MARK };
}

/** A text that leaves: whoever reads it sees no checks, so every sentence that rests on nothing says so. */
export function allMarked(text: string, citations: CitationsDto): string {
  return open(citations)
    .toSorted((a, b) => b.from - a.from)
    .reduce((now, { from }) => now.slice(0, from) + MARK + now.slice(from), text);
}

/** The change that cites an item in a sentence: before its full stop, or in the brackets that stand there. */
export function citing(text: string, sentence: SentenceDto, id: string): { from: number; insert: string } {
  const words = text.slice(sentence.from, sentence.to).replace(/[\s.!?:;]+$/, "");
  const at = sentence.from + words.length;
  return /\[[ECA]\d+(?:[,;]\s*[ECA]\d+)*\]$/.test(words)
    ? { from: at - 1, insert: `, ${id}` }
    : { from: at, insert: ` [${id}]` };
}

/** Sentences where the text has moved on since the check: they keep their words at the same place, or are left out. */
export function still(text: string, checked: string, citations: CitationsDto): SentenceDto[] {
  if (text === checked) return citations.sentences;
  let head = 0;
  while (head < text.length && head < checked.length && text[head] === checked[head]) head++;
  const grown = text.length - checked.length;
  let tail = 0;
  const room = Math.min(text.length, checked.length) - head;
  while (tail < room && text[text.length - 1 - tail] === checked[checked.length - 1 - tail]) tail++;
  return citations.sentences.flatMap((s) => {
    if (s.to <= head) return [s];
    if (s.from >= checked.length - tail) return [{ ...s, from: s.from + grown, to: s.to + grown }];
    return [];
  });
}

const WORD = /[\p{L}\p{N}][\p{L}\p{N}.-]{2,}/gu;

/** How many words of the sentence an item's title shares, for the order in which evidence is offered. */
export function likeness(sentence: string, title: string): number {
  const words = new Set(sentence.toLowerCase().match(WORD) ?? []);
  return (title.toLowerCase().match(WORD) ?? []).filter((word) => words.has(word)).length;
}
