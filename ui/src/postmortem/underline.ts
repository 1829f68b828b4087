// Sentences of the preview that rest on nothing, or say that they are not established, are shown as such.
import type { SentenceDto } from "../ipc/types";

/** Marks them in HTML that was checked already. What cannot be found again as it stands in the source stays plain. */
export function underline(html: string, sentences: readonly SentenceDto[]): string {
  const wanted = sentences.filter((s) => s.standing !== "cites" && s.text.trim() !== "");
  if (wanted.length === 0) return html;
  const { body } = new DOMParser().parseFromString(html, "text/html");
  const blocks = [...body.querySelectorAll("p, li, td, dd")].filter((b) => !b.querySelector("p, li, td"));
  let from = 0;
  for (const sentence of wanted) {
    const words = plain(sentence.text);
    // They come in the order of the text; a table or a list may repeat itself.
    const at = blocks.findIndex((b, n) => n >= from && plain(b.textContent ?? "").includes(words));
    const block = blocks[at];
    if (!block) continue;
    from = at;
    wrap(block, words, sentence.standing);
  }
  return body.innerHTML;
}

const plain = (text: string) => text.replace(/\s+/g, " ").trim();

function wrap(block: Element, words: string, standing: string): void {
  const walker = block.ownerDocument.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  // Each sign of the block's plain words, with the text it stands in.
  const signs: { text: Text; at: number }[] = [];
  let line = "";
  for (const text of texts)
    for (let at = 0; at < text.data.length; at++) {
      const sign = /\s/.test(text.data[at] ?? "") ? " " : (text.data[at] ?? "");
      if (sign === " " && (line === "" || line.endsWith(" "))) continue;
      line += sign;
      signs.push({ text, at });
    }
  const start = line.indexOf(words);
  if (start < 0) return;
  let last: Element | null = null;
  const span = signs.slice(start, start + words.length);
  for (const text of new Set(span.map((s) => s.text))) {
    const places = span.filter((s) => s.text === text).map((s) => s.at);
    text.splitText((places.at(-1) ?? 0) + 1);
    const part = text.splitText(places[0] ?? 0);
    const mark = block.ownerDocument.createElement("span");
    mark.className = standing === "not_established" ? "not-established" : "nothing";
    part.replaceWith(mark);
    mark.append(part);
    last = mark;
  }
  if (standing === "not_established") return;
  const label = block.ownerDocument.createElement("span");
  label.className = "label dashed";
  label.textContent = standing === "unknown" ? "not in the record" : "no item";
  (last as Element | null)?.after(" ", label);
}
