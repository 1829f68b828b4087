import { describe, expect, it } from "vitest";
import { citation, offered } from "../incidents/words";
import { incident } from "../ipc/story/checkout";
import type { ExchangeDto, ModelStateDto, StatementDto, WritingDto, WritingStep } from "../ipc/types";
import {
  asMarkdown,
  byWords,
  going,
  ordered,
  ready,
  reasons,
  row,
  sentences,
  speed,
  standing,
  tiedWords,
  underStep,
  writer,
} from "./words";

const said = (text: string, standing = "tied", cites: string[] = []): StatementDto => ({
  text,
  cites,
  standing,
  why: null,
});
const writing = (more: Partial<WritingDto> = {}): WritingDto => ({
  by: "model",
  model: "Qwen3-4B",
  server: null,
  statements: [],
  actions: [],
  tied: 0,
  first_token_ms: 4100,
  tokens_per_second: 9.24,
  instead: null,
  ...more,
});
const exchange = (answer: WritingDto, question = "Why?"): ExchangeDto => ({
  id: "x1",
  asked_at: "2026-11-12T02:10:00Z",
  question,
  answer,
});

describe("the model as it is spoken of", () => {
  const state = (phase: string, more: Partial<ModelStateDto> = {}): ModelStateDto => ({
    name: "Qwen3-4B",
    server: null,
    phase,
    problem: null,
    ...more,
  });

  it.each([
    [state("none", { name: null }), null, "Rules only"],
    [state("idle"), null, "Qwen3-4B, on this laptop"],
    [state("ready"), null, "Qwen3-4B, on this laptop"],
    [state("ready", { server: "https://llm.acme.example:8443/v1" }), null, "Qwen3-4B, on llm.acme.example:8443"],
    [state("loading"), null, "Loading Qwen3-4B"],
    [state("loading"), 0.347, "Loading Qwen3-4B, 34 %"],
    [state("busy"), null, "Qwen3-4B is writing"],
    [state("unusable"), null, "Qwen3-4B cannot be used"],
  ])("%o, read to %s: %s", (of, loaded, words) => expect(standing(of, loaded).text).toBe(words));

  it("is marked where it cannot be used, and there alone", () => {
    expect(
      ["none", "idle", "loading", "ready", "busy", "unusable"].filter((p) => standing(state(p), null).warn),
    ).toEqual(["unusable"]);
  });

  it("has the name of its server, even one whose address is broken", () => {
    expect(writer({ name: "m", server: "not an address" })).toBe("m, on not an address");
  });
});

describe("what goes on", () => {
  const run = (step: WritingStep | null, words = 0, tokensPerSecond = 0) => ({ step, words, tokensPerSecond });
  it.each([
    [run(null), 0, "Asking"],
    [run({ type: "loading", done: 0.999 }), 9, "Reading the model into memory, 99 %"],
    [run({ type: "waiting" }), 12, "Another question is being answered first, 12 s"],
    [run({ type: "reading", done: 1, all: 9, items: 21 }), 0, "Reading 21 items"],
    [run({ type: "reading", done: 1, all: 9, items: 21 }), 4, "Reading 21 items, 4 s"],
    [run({ type: "reading", done: 1, all: 9, items: 1 }), 4, "Reading 1 item, 4 s"],
    [
      run({ type: "words", more: "", tokens_per_second: 9 }, 52, 9.04),
      30,
      "Writing, 52 words not checked yet, 9.0 tokens a second",
    ],
    [run({ type: "words", more: "", tokens_per_second: 0 }, 1, 0), 30, "Writing, 1 word not checked yet"],
  ])("%o after %s s: %s", (of, seconds, words) => expect(going(of, seconds)).toBe(words));

  it("a speed that is not known is not told", () => {
    expect([speed(null), speed(0), speed(NaN), speed(61.4)]).toEqual(["", "", "", "61 tokens a second"]);
  });

  it("is read out by whole sentences; a stop inside a number or a name ends none", () => {
    expect(sentences("It began at 02:57. Chart 2.4.0 of registry.acme.io lowered it. And th")).toEqual([
      "It began at 02:57.",
      "Chart 2.4.0 of registry.acme.io lowered it.",
    ]);
    expect(sentences("Not yet a sentence")).toEqual([]);
    expect(sentences("Whole, but more may follow.")).toEqual([]);
  });
});

describe("an answer", () => {
  it("counts what ties to evidence among what is shown, not what was struck", () => {
    const statements = [said("a"), said("b"), said("c", "not_established"), said("d", "struck")];
    expect(tiedWords(writing({ statements, tied: 2 }))).toBe("2 of 3 sentences tied to evidence");
    expect(tiedWords(writing({ by: "rules", statements: [said("a")], tied: 1 }))).toBe("1 of 1 row tied to evidence");
    expect(tiedWords(writing({ statements: [said("d", "struck")] }))).toBe("Nothing could be tied to evidence");
  });

  it("says who wrote it", () => {
    expect(byWords(writing())).toBe("Qwen3-4B, on this laptop, 9.2 tokens a second");
    expect(byWords(writing({ by: "rules" }))).toBe("By rules");
  });

  it("goes to the notes with its ids in front of each stop, with its doubts, without what was struck", () => {
    const statements = [
      said("It was killed at 02:56:12.", "tied", ["E5", "E7"]),
      said("Customers saw errors.", "not_established"),
      said("It was evicted.", "struck", ["E5"]),
      said("No stop", "tied", ["C2"]),
    ];
    expect(asMarkdown(exchange(writing({ statements, tied: 2 }), " Why did it fail? "))).toBe(
      [
        "**Why did it fail?**",
        "It was killed at 02:56:12 [E5, E7]. Customers saw errors (not established). No stop [C2]",
        "_Written by Qwen3-4B, checked against the record._",
      ].join("\n\n"),
    );
  });

  it("by rules goes to the notes as a list", () => {
    const statements = [said("Limit lowered", "tied", ["C2"]), said("Traffic", "not_established")];
    expect(asMarkdown(exchange(writing({ by: "rules", statements })))).toBe(
      "**Why?**\n\n- Limit lowered [C2]\n- Traffic (not established)",
    );
  });

  it("without a sentence says that nothing is established", () => {
    expect(asMarkdown(exchange(writing({ statements: [said("x", "struck")] })))).toContain(
      "Not established from what was recorded.",
    );
  });

  it("as a row has the time it begins with, else that of what it cites, else none", () => {
    expect(row(incident, said("02:54:07 the limit fell", "tied", ["E5"]))).toEqual({
      clock: "02:54:07",
      at: null,
      text: "The limit fell",
    });
    const at = incident.changes.find((c) => c.id === "C2")?.at;
    expect(row(incident, said("The limit fell", "tied", ["E999", "C2"]))).toMatchObject({ clock: null, at });
    expect(row(incident, said("Nobody knows", "not_established", ["C2"])).at).toBeNull();
    expect(row(incident, said("2 m 28 s not recorded")).text).toBe("2 m 28 s not recorded");
  });
});

describe("advice", () => {
  it("gives each step its reasons: one statement each, or as many for all", () => {
    const one = reasons(writing({ actions: ["A2", "A1"], statements: [said("x"), said("y")] }));
    expect(one.map((r) => [r.action, r.why.map((s) => s.text)])).toEqual([
      ["A2", ["x"]],
      ["A1", ["y"]],
    ]);
    const two = reasons(writing({ actions: ["A2", "A1"], statements: ["a", "b", "c", "d"].map((t) => said(t)) }));
    expect(two.map((r) => r.why.length)).toEqual([2, 2]);
    const short = reasons(writing({ actions: ["A2", "A1"], statements: [said("x")] }));
    expect(short.map((r) => r.why.length)).toEqual([1, 0]);
  });

  it("says neither the name nor the id of its step again", () => {
    const s = said("Roll back Deployment checkout: restores 512Mi.", "tied", ["A1", "C2"]);
    expect(underStep(s, "A1", "Roll back Deployment checkout")).toMatchObject({
      text: "Restores 512Mi.",
      cites: ["C2"],
    });
    expect(underStep(s, "A2", "Scale Deployment checkout")).toEqual(s);
  });

  it("puts its steps first and forgets none; what it made up is no step", () => {
    const ids = (actions: string[]) => ordered(incident, writing({ actions })).map((a) => a.id);
    expect(ids(["A3", "A9"])).toEqual(["A3", "A1", "A2"]);
    expect(ids([])).toEqual(["A1", "A2", "A3"]);
    expect(ordered(incident, null).map((a) => a.id)).toEqual(["A1", "A2", "A3"]);
  });

  it("offers nothing that was withdrawn, and still knows what it was", () => {
    const actions = incident.actions.map((a) => ({ ...a, withdrawn: a.id === "A1" }));
    const later = { ...incident, actions };
    expect(ordered(later, writing({ actions: ["A1", "A3"] })).map((a) => a.id)).toEqual(["A3", "A2"]);
    expect(offered(later).map((a) => a.id)).toEqual(["A2", "A3"]);
    expect(citation(later, "A1").title).toContain("Step A1");
  });
});

it("three questions are offered that were not asked yet", () => {
  const all = ready([], null);
  expect(all).toHaveLength(3);
  expect(ready([exchange(writing(), all[0])], all[1] ?? "")).not.toContain(all[0]);
  expect(ready([exchange(writing(), all[0])], all[1] ?? "")).not.toContain(all[1]);
});
