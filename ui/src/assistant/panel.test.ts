import axe from "axe-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../ipc/api";
import { INC_46, INC_47 } from "../ipc/story/ids";
import { answered } from "../ipc/story/answers";
import { openWindow as open, settle } from "../testing/window";

afterEach(() => vi.useRealTimers());

const HERE = `#/incident/${INC_47}/overview`;
const panel = () => document.querySelector<HTMLElement>("aside[aria-label^='Ask about']");
const field = () =>
  document.querySelector<HTMLTextAreaElement>("textarea[aria-label=Question]") ?? expect.fail("no field");
const text = (of: Element | null | undefined) => of?.textContent?.replace(/\s+/g, " ").trim() ?? "";
const thread = () => text(document.querySelector("[role=log][aria-label='Questions and answers']"));
const said = () => text(document.querySelector(".said"));

/** The panel open on INC-47, with a model whose steps are played by hand. */
async function asking(question = "Why did storefront fail too?") {
  const w = await open("night", HERE, (fake) => (fake.assistant.pace = null));
  await w.press("j", { ctrlKey: true });
  await w.type(field(), question);
  await w.press("Enter");
  const run = w.backend.assistant.run ?? expect.fail("nothing is being written");
  return { ...w, run };
}

describe("the panel Ask", () => {
  it("opens with Ctrl J beside the incident with the focus in its field, and Esc closes it before it goes back", async () => {
    const w = await open("night", HERE);
    await w.press("j", { ctrlKey: true });
    expect(text(panel()?.querySelector("header"))).toContain("Ask about INC-47");
    expect(document.activeElement).toBe(field());
    await w.press("Escape");
    expect(panel()).toBeNull();
    expect(document.activeElement?.id).toBe("incident-title");
    await w.press("Escape");
    expect(location.hash).toMatch(/^#\/incidents/);
  });

  it("opens from the list on the incident that is being read", async () => {
    const w = await open("night", `#/incidents/${INC_46}`);
    w.button("Ask").click();
    await settle();
    expect(location.hash).toBe(`#/incident/${INC_46}/overview`);
    expect(panel()?.getAttribute("aria-label")).toBe("Ask about INC-46");
    // What was opened first still hears Esc first.
    document.getElementById("incident-title")?.focus();
    await w.press("Escape");
    expect([panel(), location.hash]).toEqual([null, `#/incident/${INC_46}/overview`]);
  });

  it("stands in the palette and in the sheet of keys", async () => {
    const w = await open("night", HERE);
    await w.press("?");
    expect(text(document.querySelector("dialog"))).toContain("Ask about this incidentCtrlJ");
  });

  it("keeps a hidden page for a question that was begun or is being answered", async () => {
    const w = await open("night", HERE);
    await w.press("j", { ctrlKey: true });
    await w.type(field(), "Why did");
    expect(w.backend.unsaved).toBe(true);
    w.backend.assistant.pace = null;
    await w.press("Enter");
    expect([field().value, w.backend.unsaved]).toEqual(["", true]);
    w.backend.assistant.run?.end();
    await settle();
    expect(w.backend.unsaved).toBe(false);
  });

  it("offers three questions while it is empty, and asks the one that is pressed", async () => {
    const w = await open("night", HERE);
    w.button("Ask").click();
    await settle();
    const offered = [...document.querySelectorAll(".offered button")].map(text);
    expect(offered).toHaveLength(3);
    w.button(offered[0] ?? "").click();
    await settle();
    expect(text(document.querySelector("article h3"))).toBe(offered[0]);
    expect([...document.querySelectorAll(".offered button")].map(text)).not.toContain(offered[0]);
  });

  it("has sound structure", async () => {
    const w = await open("night", HERE);
    await w.press("j", { ctrlKey: true });
    await w.type(field(), "Why did storefront fail too?");
    await w.press("Enter");
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join("\n")}`)).toEqual([]);
  });
});

describe("while an answer is written", () => {
  it("what goes on is told: waiting, the model, the items, the words with their speed", async () => {
    const w = await asking();
    const now = () => text(document.querySelector(".progress > span"));
    expect(now()).toBe("Asking");
    w.run.step({ type: "waiting" });
    await settle();
    expect(now()).toBe("Another question is being answered first");
    w.run.step({ type: "loading", done: 0.4 });
    w.backend.assistant.stand({ phase: "loading" });
    await settle();
    expect(now()).toBe("Reading the model into memory, 40 %");
    expect(text(document.querySelector("footer .model"))).toBe("Model:Loading Qwen3-4B Instruct, 40 %");
    w.run.step({ type: "reading", done: 640, all: 2010, items: 21 });
    await settle();
    expect(now()).toBe("Reading 21 items");
    expect(document.querySelector("progress[aria-label='Before the first word']")?.getAttribute("aria-valuetext")).toBe(
      "Reading 21 items",
    );
    w.run.step({ type: "words", more: "It was killed. And", tokens_per_second: 9.2 });
    w.run.step({ type: "words", more: " then", tokens_per_second: 9.4 });
    await settle();
    expect(now()).toBe("Writing, 5 words not checked yet, 9.4 tokens a second");
    expect(text(document.querySelector(".words"))).toBe("It was killed. And then");
  });

  it("counts the seconds before the first word", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    const w = await asking();
    w.run.step({ type: "reading", done: 0, all: 9, items: 21 });
    await vi.advanceTimersByTimeAsync(4100);
    await settle();
    expect(text(document.querySelector(".progress > span"))).toBe("Reading 21 items, 4 s");
  });

  it("shows no chip before the check, and reads it out by the sentence", async () => {
    const w = await asking();
    w.run.step({ type: "words", more: "It was killed [E5]. It was ki", tokens_per_second: 9 });
    await settle();
    const log = document.querySelector("[role=log][aria-label='What is being written']");
    expect([...(log?.querySelectorAll("p") ?? [])].map(text)).toEqual(["It was killed [E5]."]);
    expect(panel()?.querySelector(".cited")).toBeNull();
    w.run.step({ type: "words", more: "lled again. ", tokens_per_second: 9 });
    await settle();
    expect([...(log?.querySelectorAll("p") ?? [])].map(text).at(-1)).toBe("It was killed again.");
    w.run.end();
    await settle();
    const heard = [...(log?.querySelectorAll("p") ?? [])].map(text);
    expect(heard).toContain("3 of 4 sentences tied to evidence.");
    expect(heard.at(-1)).toBe("Not established: Customers probably saw errors at the till.");
    expect(document.querySelector("[role=log][aria-label='Questions and answers']")?.getAttribute("aria-live")).toBe(
      "off",
    );
  });

  it("Esc stops it: the words so far stay, unchecked, and it can be started again", async () => {
    const w = await asking();
    w.run.step({ type: "words", more: "It was killed", tokens_per_second: 9 });
    await settle();
    await w.press("Escape");
    expect(w.backend.assistant.cancelled).toEqual([w.run.writing]);
    expect(thread()).toContain("It was killed Stopped.");
    expect(text(panel())).toContain("not checked against the record");
    w.button("Start again").click();
    await settle();
    const again = w.backend.assistant.run ?? expect.fail("not started again");
    expect(again.writing).not.toBe(w.run.writing);
    again.end();
    await settle();
    expect(said()).toContain("Its readiness probe has answered 503");
    expect(thread()).not.toContain("Stopped.");
  });

  it("what was stopped too late and came to its end is an answer", async () => {
    const w = await asking();
    vi.spyOn(w.backend.assistant, "cancelWriting").mockResolvedValue(undefined);
    w.button("Stop").click();
    await settle();
    expect(thread()).toContain("Stopped.");
    w.run.end();
    await settle();
    expect(thread()).not.toContain("Stopped.");
    expect(said()).toContain("storefront calls checkout");
  });

  it("a model that stops by itself leaves its words, the reason and two ways on", async () => {
    const w = await asking();
    w.run.step({ type: "words", more: "It was", tokens_per_second: 9 });
    w.run.fail(new BackendError("The model was ended: it needed more memory than its bound of 4.1 GB."));
    await settle();
    const alert = document.querySelector("article [role=alert]");
    expect(text(alert)).toContain("The model stopped.");
    expect(text(alert)).toContain("more memory than its bound");
    expect(alert?.querySelector("a")?.getAttribute("href")).toBe("#/settings/models");
    expect(text(document.querySelector(".words"))).toBe("It was");
    w.button("Start again").click();
    await settle();
    expect(document.querySelector("article [role=alert]")).toBeNull();
    w.backend.assistant.run?.end();
    await settle();
    expect(said()).toContain("storefront calls checkout");
  });

  it("what ended without an answer is put away", async () => {
    const w = await asking();
    w.run.fail(new BackendError("The model hung."));
    await settle();
    document.querySelector<HTMLButtonElement>("article .quiet")?.click();
    await settle();
    expect([document.querySelector("article h3"), w.backend.assistant.kept.size]).toEqual([null, 0]);
  });

  it("no second question is sent, what is typed meanwhile stays", async () => {
    const w = await asking();
    const ask = vi.spyOn(w.backend.assistant, "ask");
    await w.type(field(), "And then?");
    await w.press("Enter");
    expect(ask).not.toHaveBeenCalled();
    expect(field().value).toBe("And then?");
  });

  it("goes on while the panel is closed, and the answer is there when it is opened", async () => {
    const w = await asking();
    panel()?.querySelector<HTMLButtonElement>("button[aria-label=Close]")?.click();
    await settle();
    w.run.step({ type: "words", more: "It was", tokens_per_second: 9 });
    w.run.end();
    await settle();
    expect(w.text()).toContain("The answer about INC-47 is there.");
    await w.press("j", { ctrlKey: true });
    expect(said()).toContain("storefront calls checkout");
  });
});

describe("an answer", () => {
  async function answer() {
    const w = await asking();
    w.run.end();
    await settle();
    return w;
  }

  it("has a chip after each tied sentence, which opens that item", async () => {
    await answer();
    expect(said()).toContain("no ready endpoint since 02:57:03 E11. Its readiness probe");
    const chip = [...document.querySelectorAll<HTMLAnchorElement>(".said a.cited")].find(
      (a) => a.textContent === "E16",
    );
    expect(chip?.getAttribute("aria-label")).toBe("Evidence E16, storefront readiness failing");
    chip?.click();
    await settle();
    expect(location.hash).toBe(`#/incident/${INC_47}/evidence/E16`);
    expect(text(document.querySelector("article[aria-label='Item E16'] h2"))).toBe("storefront readiness failing");
    expect(panel()).not.toBeNull();
  });

  it("marks what ties to nothing, and says why when asked", async () => {
    const w = await answer();
    expect(text(document.querySelector(".said .not-established"))).toBe("Customers probably saw errors at the till.");
    expect(said()).not.toContain("It names no recorded item.");
    w.button("not established").click();
    await settle();
    expect(said()).toContain("not established It names no recorded item.");
  });

  it("keeps what was struck behind a word, with the reasons", async () => {
    const w = await answer();
    const list = document.querySelector<HTMLElement>(".struck ul");
    expect(list?.hidden).toBe(true);
    w.button("2 sentences were struck").click();
    await settle();
    expect(list?.hidden).toBe(false);
    expect(text(list)).toContain("Neither 1Gi nor 03:01 occurs in C2.");
  });

  it("says how much of it is tied, who wrote it and how quickly", async () => {
    await answer();
    const article = text(document.querySelector("article"));
    expect(article).toContain("3 of 4 sentences tied to evidence");
    expect(article).toContain("Qwen3-4B Instruct, on this laptop, 9.2 tokens a second");
  });

  it("is added to the notes with its ids, after what stands there, and is copied", async () => {
    const w = await answer();
    const notes = document.querySelector<HTMLTextAreaElement>("textarea[data-notes]") ?? expect.fail("no notes");
    await w.type(notes, "Rolling back.");
    w.button("Add to notes").click();
    await settle();
    const kept = w.backend.notes.get(INC_47)?.text ?? "";
    expect(kept).toMatch(/^Rolling back\.\n\n\*\*Why did storefront fail too\?\*\*\n\n/);
    expect(kept).toContain("since 02:57:03 [E11]. Its readiness");
    expect(kept).toContain("at the till (not established).");
    expect(kept).not.toContain("evicted");
    expect(w.text()).toContain("The answer is added to the notes.");
    w.button("Copy the answer").click();
    await settle();
    expect(w.backend.copied[0]).toContain("[E16]");
  });

  it("that is not in the notes says so", async () => {
    const w = await answer();
    w.backend.refuse.set("saveNotes", new BackendError("the disk is full."));
    w.button("Add to notes").click();
    await settle();
    expect(w.text()).toContain("Not added to the notes: the disk is full.");
  });

  it("of which nothing stands is “not established”, and nothing else", async () => {
    const w = await open("night", HERE, (fake) => {
      const statements = answered("").statements.filter((s) => s.standing === "struck");
      fake.assistant.kept.set(INC_47, [
        {
          id: "x1",
          asked_at: "2026-11-12T02:09:00Z",
          question: "Who?",
          answer: { ...answered(""), statements, tied: 0 },
        },
      ]);
    });
    await w.press("j", { ctrlKey: true });
    expect(said()).toContain("Not established from what was recorded.");
    expect(() => w.button("Add to notes")).toThrow();
  });

  it("is kept with the incident, and is forgotten when asked to", async () => {
    const w = await answer();
    expect(w.backend.assistant.kept.get(INC_47)).toHaveLength(1);
    w.button("Forget “Why did storefront fail too?”").click();
    await settle();
    expect(w.backend.assistant.kept.get(INC_47)).toEqual([]);
    expect(document.querySelector(".said")).toBeNull();
  });

  it("that cannot be forgotten stays", async () => {
    const w = await answer();
    w.backend.refuse.set("forgetExchange", new BackendError("The record is locked."));
    w.button("Forget “Why").click();
    await settle();
    expect(said()).not.toBe("");
    expect(w.text()).toContain("The record is locked.");
  });
});

it("a whole conversation is forgotten after a question", async () => {
  const w = await open("night", HERE);
  await w.press("j", { ctrlKey: true });
  for (const question of ["One?", "Two?"]) {
    await w.type(field(), question);
    await w.press("Enter");
    await settle();
  }
  w.button("Forget all…").click();
  await settle();
  expect(text(document.querySelector("dialog"))).toContain("2 questions about INC-47");
  [...document.querySelectorAll<HTMLButtonElement>("dialog footer button")].at(-1)?.click();
  await settle();
  expect(w.backend.assistant.kept.get(INC_47)).toEqual([]);
  expect(panel()?.querySelector("article")).toBeNull();
});

it("what was asked before is there again; where it cannot be read, it says so and asks again", async () => {
  const w = await open("night", HERE, (fake) => {
    fake.assistant.kept.set(INC_47, [
      { id: "x1", asked_at: "2026-11-11T02:09:00Z", question: "Earlier?", answer: answered("") },
    ]);
    fake.refuse.set("exchanges", new BackendError("The record is locked."));
  });
  await w.press("j", { ctrlKey: true });
  expect(text(panel()?.querySelector("[role=alert]"))).toContain("The record is locked.");
  w.backend.refuse.clear();
  w.button("Try again").click();
  await settle();
  expect(text(panel()?.querySelector("h3"))).toBe("Earlier?");
  expect(text(panel()?.querySelector("article"))).toContain("11 Nov, 03:09:00");
});

describe("without a model", () => {
  it("the same questions are answered by rules as rows, which is said once", async () => {
    const w = await open("night", HERE, (fake) => {
      fake.assistant.clear();
      fake.assistant.pace = null;
    });
    await w.press("j", { ctrlKey: true });
    w.button("What changed before it began?").click();
    await settle();
    w.button("What is not known?").click();
    await settle();
    expect(w.backend.assistant.run).toBeNull();
    const rows = [...document.querySelectorAll(".said .ledger-row")].map(text);
    expect(rows[0]).toBe("02:54:07 Deployment checkout: memory limit 512Mi → 192Mi, request 384Mi → 192Mi C2");
    expect(rows[2]).toContain("Not established. Nothing that was recorded shows it.");
    const notes = [...(panel()?.querySelectorAll(".notice b") ?? [])].map(text);
    expect(notes).toEqual(["No model is chosen."]);
    expect(text(panel()).match(/No model/g)).toHaveLength(1);
    expect(w.button("Models").getAttribute("href")).toBe("#/settings/models");
    expect(field().placeholder).toBe("Search the recorded evidence");
    expect(text(document.querySelector("footer .model"))).toBe("Model:Rules only");
  });

  it("rules answer where a person wants them to", async () => {
    const w = await open("night", HERE, (fake) => (fake.assistant.pace = null));
    await w.press("j", { ctrlKey: true });
    document.querySelector<HTMLInputElement>("aside input[type=checkbox]")?.click();
    await settle();
    w.button("What was ruled out?").click();
    await settle();
    expect(document.querySelectorAll(".said .ledger-row").length).toBeGreaterThan(3);
  });

  it("a model that cannot be used says why and what to do, and the rules answer", async () => {
    const w = await open("night", HERE, (fake) =>
      fake.assistant.stand({ phase: "unusable", problem: "It needs 3.6 GB, 1.2 GB are free." }),
    );
    await w.press("j", { ctrlKey: true });
    w.button("What was ruled out?").click();
    await settle();
    expect(text(panel()).match(/1\.2 GB are free/g)).toHaveLength(1);
    expect(document.querySelectorAll(".said .ledger-row").length).toBeGreaterThan(3);
    expect(text(document.querySelector("footer .model"))).toBe("Model:Qwen3-4B Instruct cannot be used");
  });
});

describe("the next steps", () => {
  it("are explained by the model in its order, with what each reason stands on", async () => {
    const w = await open("night", HERE);
    const titles = () => [...document.querySelectorAll("aside ol .title")].map(text);
    expect(titles()[0]).toBe("Roll back Deployment checkout");
    w.button("Explain").click();
    await settle();
    expect(titles()[0]).toBe("Set the resources of Deployment checkout");
    const first = text(document.querySelector("aside ol li .why"));
    expect(first).toBe("It puts the limit back to 512Mi, at which the pods ran for 22 days C2E12.");
    expect(w.text()).toContain("Order and reasons by Qwen3-4B Instruct, on this laptop");
    expect(text(document.querySelector(".next"))).toContain("Set the resources of Deployment checkout");
    w.backend.change(INC_47, () => ({ state: "acknowledged" }));
    await settle();
    expect(w.text()).toContain("The incident has changed since.");
  });

  it("are explained by rules without a model, in the rules' order", async () => {
    const w = await open("night", HERE, (fake) => fake.assistant.clear());
    w.button("Explain").click();
    await settle();
    expect(w.text()).toContain("Order and reasons by rules.");
    expect(text(document.querySelector("aside ol .title"))).toBe("Roll back Deployment checkout");
    expect(text(document.querySelector("aside ol li .why"))).toBe(
      "Restores 512Mi. At worst: 3 pods restart, reversible C2.",
    );
    expect(text(document.querySelector("aside ol li")).match(/Restores 512Mi/g)).toHaveLength(1);
  });

  it("keep their order when the explaining is stopped by Esc, or fails", async () => {
    const w = await open("night", HERE, (fake) => (fake.assistant.pace = null));
    w.button("Explain").click();
    await settle();
    await w.press("Escape");
    expect(w.backend.assistant.cancelled).toHaveLength(1);
    expect(location.hash).toBe(HERE);
    w.button("Explain").click();
    await settle();
    w.backend.assistant.run?.fail(new BackendError("The model hung for 60 s and was ended."));
    await settle();
    expect(w.text()).toContain("Not explained.");
    expect(w.text()).toContain("hung for 60 s");
    expect(text(document.querySelector("aside ol .title"))).toBe("Roll back Deployment checkout");
  });
});
