import { describe, expect, it } from "vitest";
import { match, parts } from "./fuzzy";

const best = (query: string, ...texts: string[]) =>
  texts
    .map((text) => ({ text, found: match(query, text) }))
    .filter((m) => m.found)
    .sort((a, b) => (b.found?.score ?? 0) - (a.found?.score ?? 0))
    .map((m) => m.text);

describe("finding in the palette", () => {
  it("puts the beginning of a word before its middle, and what stands whole before what is strewn", () => {
    expect(
      best("roll", "Enroll a node", "Roll back checkout", "Resume one long list", "HorizontalPodAutoscaler web"),
    ).toEqual(["Roll back checkout", "Enroll a node", "Resume one long list"]);
  });
  it("takes initials and words in any order", () => {
    expect(match("gi", "Go to Incidents")?.at).toEqual([0, 6]);
    expect(match("pods checkout", "checkout has no ready pods")).not.toBeNull();
  });
  it("finds nothing where a word is missing, or letters stand in the middle of words", () => {
    expect(match("kafka", "checkout has no ready pods")).toBeNull();
    expect(match("cps", "checkout has no ready pods")).toBeNull();
    expect(match("checkout kafka", "checkout has no ready pods")).toBeNull();
  });
  it("answers nothing typed with everything, and marks nothing", () => {
    expect(match("", "Acknowledge")?.at).toEqual([]);
  });
  it("marks what was found", () => {
    expect(parts("Roll back", match("roll", "Roll back")?.at ?? [])).toEqual([
      { text: "Roll", hit: true },
      { text: " back", hit: false },
    ]);
  });
});
