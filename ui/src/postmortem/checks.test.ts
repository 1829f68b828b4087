import { describe, expect, it } from "vitest";
import type { SentenceDto } from "../ipc/types";
import { citing, likeness, mark, nextOf, short, still } from "./checks";
import { underline } from "./underline";

const sentence = (text: string, from: number, standing = "nothing"): SentenceDto => ({
  standing,
  line: 1,
  from,
  to: from + text.length,
  text,
  unknown: [],
});
const put = (text: string, { from, insert }: { from: number; insert: string }) =>
  text.slice(0, from) + insert + text.slice(from);

describe("a citation", () => {
  it.each([
    ["The limit was lowered.", "The limit was lowered [E2]."],
    ["The limit was lowered", "The limit was lowered [E2]"],
    ["It was killed [E5, E7].", "It was killed [E5, E7, E2]."],
  ])("is put before the full stop, or into the brackets that stand there: %s", (before, after) => {
    expect(put(before, citing(before, sentence(before, 0), "E2"))).toBe(after);
  });

  it("is offered first where the words are alike", () => {
    const said = "The memory limit of checkout was lowered.";
    expect(likeness(said, "Deployment checkout: memory limit")).toBeGreaterThan(likeness(said, "Node node-a"));
  });
});

describe("sentences that were checked", () => {
  const text = "First one. Second one.";
  const citations = { sentences: [sentence("First one.", 0), sentence("Second one.", 11)], replaced: 0 };

  it("move with the text, and what is being typed in waits for the next check", () => {
    const now = "First one. And so. Second one.";
    expect(still(now, text, citations).map((s) => now.slice(s.from, s.to))).toEqual(["First one.", "Second one."]);
    const changed = "First two. Second one.";
    expect(still(changed, text, citations).map((s) => changed.slice(s.from, s.to))).toEqual(["Second one."]);
    expect(still("", text, citations)).toEqual([]);
  });

  it("are gone through one after the other, and from the beginning again", () => {
    const [one, two] = citations.sentences;
    expect([nextOf(citations.sentences, -1), nextOf(citations.sentences, 5), nextOf(citations.sentences, 15)]).toEqual([
      one,
      two,
      one,
    ]);
  });

  it("are marked where they begin, and shown by their end", () => {
    expect(put(text, mark(sentence("Second one.", 11)))).toBe("First one. *Not established:* Second one.");
    expect(short(`${"word ".repeat(30)}at the end.`)).toMatch(/^…\S.* at the end\.$/);
  });
});

describe("the preview", () => {
  it("shows what cites nothing, across marks, and what says that it is not established", () => {
    const html = underline(
      "<p>One <strong>two</strong> three. Four.</p><ul><li><em>Not established:</em> five.</li></ul>",
      [sentence("One two three.", 0), sentence("Not established: five.", 20, "not_established")],
    );
    const box = document.createElement("div");
    box.innerHTML = html;
    const words = (of: string) => [...box.querySelectorAll(of)].map((e) => e.textContent).join("");
    expect(words(".nothing")).toBe("One two three.");
    expect(words(".label")).toBe("no item");
    expect(words(".not-established")).toBe("Not established: five.");
    expect(box.querySelector("p")?.textContent).toContain("Four.");
  });

  it("leaves alone what it cannot find", () => {
    expect(underline("<p>One.</p>", [sentence("Something else.", 0)])).toBe("<p>One.</p>");
  });
});
