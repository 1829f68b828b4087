// Ids such as [E6] in the report become links to the item, as everywhere else in the window.

const IN_TEXT = /\[((?:[EC]\d+)(?:[,;]\s*[EC]\d+)*)\]/g;
const WHOLE_CELL = /^[EC]\d+(?:[,;]\s*[EC]\d+)*$/;

/** Replaces citations in HTML that was checked already. `title` says what an id stands for. */
export function cite(html: string, title: (id: string) => string): string {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  const walker = body.ownerDocument.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  for (const text of texts) {
    const parent = text.parentElement;
    if (!parent || parent.closest("a, code, pre")) continue;
    if (parent.tagName === "TD" && WHOLE_CELL.test(text.data.trim()))
      text.replaceWith(...links(body, text.data.trim(), title));
    else replace(body, text, title);
  }
  return body.innerHTML;
}

function replace(body: HTMLElement, text: Text, title: (id: string) => string): void {
  const parts: (string | Node)[] = [];
  let from = 0;
  for (const match of text.data.matchAll(IN_TEXT)) {
    parts.push(text.data.slice(from, match.index), ...links(body, match[1] ?? "", title));
    from = match.index + match[0].length;
  }
  if (parts.length > 0) text.replaceWith(...parts, text.data.slice(from));
}

function links(body: HTMLElement, list: string, title: (id: string) => string): (string | Node)[] {
  return list.split(/[,;]\s*/).flatMap((id, i) => {
    const link = body.ownerDocument.createElement("a");
    link.href = `#${id}`;
    link.className = "cited";
    link.textContent = id;
    link.title = title(id);
    link.setAttribute("aria-label", title(id));
    return i > 0 ? [" ", link] : [link];
  });
}
