// The parts of a post-mortem as they stand in its Markdown.
import type { SectionHeadingDto } from "../ipc/types";

/** A part of the text under a heading of the second level. */
export interface Part {
  /** Which section of the record it is, by id; `null` where the heading is a person's own. */
  section: string | null;
  /** The heading without its marks. */
  heading: string;
  /** Where the heading's line begins, where the body begins, and where the next part does. */
  from: number;
  body: number;
  to: number;
}

/** All parts in order. A heading inside a block of code is none. `known` says which sections of the record there are. */
export function parts(text: string, known: readonly SectionHeadingDto[]): Part[] {
  const found: Part[] = [];
  let at = 0;
  let fence: string | null = null;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(```+|~~~+)/.exec(line)?.[1];
    if (mark && fence === null) fence = mark;
    else if (mark && fence !== null && mark.startsWith(fence)) fence = null;
    const heading = fence === null && /^ {0,3}##[ \t]+(.+?)[ \t]*#*[ \t]*$/.exec(line)?.[1];
    if (heading) {
      const before = found.at(-1);
      if (before) before.to = at;
      const section = known.find((k) => k.heading.toLowerCase() === heading.toLowerCase())?.section ?? null;
      found.push({ section, heading, from: at, body: Math.min(at + line.length + 1, text.length), to: text.length });
    }
    at += line.length + 1;
  }
  return found;
}

/** The part in which the caret stands. */
export function partAt(text: string, known: readonly SectionHeadingDto[], caret: number): Part | null {
  return parts(text, known).findLast((part) => part.from <= caret) ?? null;
}

/** What stands under the heading, without the empty lines around it. */
export const bodyOf = (text: string, part: Part): string => text.slice(part.body, part.to).trim();

/** The change that puts another body under the heading, with one empty line around it. */
export function replaceBody(text: string, part: Part, body: string): { from: number; to: number; insert: string } {
  const gap = text[part.body - 1] === "\n" ? "\n" : "\n\n";
  const last = part.to >= text.length;
  return { from: part.body, to: part.to, insert: `${gap}${body.trim()}\n${last ? "" : "\n"}` };
}

export interface ActionItem {
  text: string;
  /** `prevent · Mara · by 13 Nov` */
  more: string;
  done: boolean;
}

/** The action items, from the table or the list under their heading. */
export function actionItems(text: string, known: readonly SectionHeadingDto[]): ActionItem[] {
  const part = parts(text, known).find((p) => p.section === "action_items");
  if (!part) return [];
  const lines = bodyOf(text, part).split("\n");
  return lines.flatMap((line, n): ActionItem[] => {
    const item = /^\s*[-*]\s+(?:\[([ xX])\]\s+)?(.+)$/.exec(line);
    if (item) return [{ text: plain(item[2] ?? ""), more: "", done: /x/i.test(item[1] ?? "") }];
    // The head of a table and the line under it are no items.
    if (!line.startsWith("|") || /^\|[\s|:-]+$/.test(line) || /^\|[\s|:-]+$/.test(lines[n + 1] ?? "")) return [];
    const cells = line
      .replace(/\\\|/g, "\u0000")
      .split("|")
      .slice(1, -1)
      .map((cell) => plain(cell.replaceAll("\u0000", "|")));
    const [kind = "", action = "", owner = "", until = "", status = ""] = cells;
    const by = /\d/.test(until) ? `by ${until}` : "";
    const more = [kind.toLowerCase(), owner, by].filter(Boolean).join(" · ");
    return action ? [{ text: action, more, done: /^(done|closed)$/i.test(status) }] : [];
  });
}

/** Words without marks and citations. */
function plain(text: string): string {
  return text
    .replace(/\s*\[(?:[ECA]\d+(?:[,;]\s*)?)+\]/g, "")
    .replace(/(^|\s)[*_`]+(?=\S)|(?<=[^\s\\])[*_`]+(?=\s|$|[.,:;])/g, "$1")
    .replace(/\\([\\`*_{}[\]()#+\-.!|<>~&"'])/g, "$1")
    .trim();
}
