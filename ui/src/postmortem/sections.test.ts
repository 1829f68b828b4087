import { describe, expect, it } from "vitest";
import { actionItems, bodyOf, partAt, parts, replaceBody } from "./sections";

const KNOWN = [
  { section: "summary", heading: "Summary" },
  { section: "root_cause", heading: "Root cause" },
  { section: "action_items", heading: "Action items" },
];
const TEXT =
  "# Title\n\n## Summary\n\nOne.\n\n```\n## not a heading\n```\n\n## Our own ##\nTwo.\n\n## Root cause\n\nThree.\n";

describe("the parts of a post-mortem", () => {
  it("are found by their headings, and a heading in code is none", () => {
    expect(parts(TEXT, KNOWN).map((p) => [p.heading, p.section])).toEqual([
      ["Summary", "summary"],
      ["Our own", null],
      ["Root cause", "root_cause"],
    ]);
    expect(parts(TEXT, KNOWN).map((p) => bodyOf(TEXT, p))).toEqual([
      "One.\n\n```\n## not a heading\n```",
      "Two.",
      "Three.",
    ]);
  });

  it("are told by where the caret stands", () => {
    expect(partAt(TEXT, KNOWN, 0)).toBeNull();
    expect(partAt(TEXT, KNOWN, TEXT.indexOf("Two"))?.heading).toBe("Our own");
    expect(partAt(TEXT, KNOWN, TEXT.length)?.heading).toBe("Root cause");
  });

  it.each([0, 1, 2])("get another body and leave everything else as it was", (n) => {
    const part = parts(TEXT, KNOWN)[n];
    if (!part) throw new Error("no part");
    const { from, to, insert } = replaceBody(TEXT, part, "\n\nNew.\n");
    const now = TEXT.slice(0, from) + insert + TEXT.slice(to);
    expect(parts(now, KNOWN).map((p) => bodyOf(now, p))).toEqual(
      parts(TEXT, KNOWN).map((p, i) => (i === n ? "New." : bodyOf(TEXT, p))),
    );
    expect(now).toMatch(/#\n\nNew\.|Summary\n\nNew\.|cause\n\nNew\./);
    expect(now).not.toMatch(/\n{3}/);
  });
});

describe("action items", () => {
  it("are read from the table, without marks and citations", () => {
    const text =
      "## Action items\n\n| Kind | Action | Owner | Until | Status |\n| --- | --- | --- | --- | --- |\n" +
      "| Repair | Roll back: a \\| b \\_c\\_ [A1] | Mara | 13 Nov | proposed |\n| Prevent | *Think* | no owner yet | no date | done |\n";
    expect(actionItems(text, KNOWN)).toEqual([
      { text: "Roll back: a | b _c_", more: "repair · Mara · by 13 Nov", done: false },
      { text: "Think", more: "prevent · no owner yet", done: true },
    ]);
  });

  it("are read from a list as well", () => {
    expect(actionItems("## Action items\n\n- [x] Call the owner\n- Fix it [E2]\n", KNOWN)).toEqual([
      { text: "Call the owner", more: "", done: true },
      { text: "Fix it", more: "", done: false },
    ]);
    expect(actionItems("# Nothing\n", KNOWN)).toEqual([]);
  });
});
