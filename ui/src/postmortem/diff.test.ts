import { describe, expect, it } from "vitest";
import { hunks, lineDiff, steps, take } from "./diff";

describe("a difference", () => {
  it("keeps the longest common run", () => {
    const signs = steps([..."abcde"], [..."abxde"]).map((s) => `${s.kind[0]}${s.of}`);
    expect(signs).toEqual(["sa", "sb", "dc", "ax", "sd", "se"]);
  });

  it("is empty where nothing changed, and leaves out what is the same for long", () => {
    expect(lineDiff("a\nb", "a\nb")).toBe("");
    const before = ["1", "2", "3", "4", "5", "6", "7"].join("\n");
    expect(lineDiff(before, before.replace("7", "8")).split("\n")).toEqual([
      " … 4 lines the same",
      " 5",
      " 6",
      "-7",
      "+8",
    ]);
  });

  it("of very long texts is told, if coarsely", () => {
    const long = (n: number) => Array.from({ length: 3000 }, (_, i) => `${n} ${i}`).join("\n");
    expect(lineDiff(long(1), long(2)).split("\n")).toHaveLength(6000);
  });
});

describe("changes to take or to leave", () => {
  const before = "One [E1].\n\nTwo.\n\n- a\n- b\n- c";
  const after = "One [E1].\n\nTwo, better [E2].\n\n- a\n- B\n- c\n\nNew.";

  it("are paragraphs and items of lists, each by itself", () => {
    expect(hunks(before, after).filter((h) => !h.same)).toEqual([
      { same: false, before: ["Two."], after: ["Two, better [E2]."] },
      { same: false, before: ["- b"], after: ["- B"] },
      { same: false, before: [], after: ["New."] },
    ]);
  });

  it("give the new text when all are taken, the old one when none is, and what was chosen between", () => {
    const all = hunks(before, after);
    expect(take(all, () => true)).toBe(after);
    expect(take(all, () => false)).toBe(before);
    expect(take(all, (h) => h.after.includes("- B"))).toBe("One [E1].\n\nTwo.\n\n- a\n- B\n- c");
  });

  it("keep the rows of a table together", () => {
    const table = "| a | b |\n| --- | --- |\n| 1 | 2 |";
    expect(take(hunks(table, `${table}\n| 3 | 4 |`), () => true)).toBe(`${table}\n| 3 | 4 |`);
  });
});
