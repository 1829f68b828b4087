// A second lock on the door. The program sends HTML from its own allow-list renderer; should that ever let more
// through, it stops here.

const ELEMENTS = new Set(
  "H1 H2 H3 H4 H5 H6 P BR HR UL OL LI EM STRONG DEL CODE PRE BLOCKQUOTE TABLE THEAD TBODY TR TH TD A SUP SUB SPAN DIV SECTION INPUT DL DT DD".split(
    " ",
  ),
);
const ATTRIBUTES = new Set([
  "href",
  "id",
  "class",
  "title",
  "align",
  "start",
  "colspan",
  "rowspan",
  "type",
  "checked",
  "disabled",
]);
const ADDRESS = /^(#|https?:\/\/|mailto:)/i;

/** The same HTML with everything that is not plain text markup taken out. */
export function safe(html: string): string {
  // A parsed document is inert: nothing in it loads or runs.
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const element of [...body.querySelectorAll("*")]) {
    if (!ELEMENTS.has(element.tagName.toUpperCase())) {
      element.remove();
      continue;
    }
    for (const { name, value } of [...element.attributes]) {
      const known = ATTRIBUTES.has(name.toLowerCase()) && (name.toLowerCase() !== "href" || ADDRESS.test(value.trim()));
      if (!known) element.removeAttribute(name);
    }
    // Of inputs only the ticked boxes of task lists.
    if (element.tagName === "INPUT" && element.getAttribute("type") !== "checkbox") element.remove();
    else if (element.tagName === "INPUT") {
      element.setAttribute("disabled", "");
      element.setAttribute("aria-label", element.hasAttribute("checked") ? "done" : "not done");
    }
  }
  return body.innerHTML;
}
