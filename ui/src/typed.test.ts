// What a person types is not lost: to answers that overtake each other, to a click, to a closed window.
import { afterEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "./ipc/api";
import { INC_46, INC_47 } from "./ipc/story/ids";
import { openWindow as open, settle } from "./testing/window";

afterEach(() => vi.useRealTimers());

const at = (tab: string) => `#/incident/${INC_47}/${tab}`;
function field(selector: string): HTMLTextAreaElement {
  const found = document.querySelector<HTMLTextAreaElement>(selector);
  if (!found) throw new Error(`there is no ${selector}`);
  return found;
}
/** Holds back the answers of a method; each is made when it is asked for and arrives when it is let go. */
function late<A extends unknown[], T>(method: (...args: A) => Promise<T>) {
  const waiting: (() => void)[] = [];
  return {
    ask: (...args: A) => {
      const answer = method(...args);
      return new Promise<T>((done) => waiting.push(() => done(answer)));
    },
    arrive: async () => {
      waiting.splice(0).forEach((go) => go());
      await settle();
    },
  };
}

describe("notes", () => {
  it("stay when a page that was asked for before they were saved arrives after", async () => {
    const w = await open("night", at("overview"));
    await w.type(field("[data-notes]"), "first");
    field("[data-notes]").blur();
    await settle();
    const slow = late(w.backend.incidentPage);
    w.backend.incidentPage = slow.ask;
    w.backend.change(INC_47, () => ({ title: "changed" }));
    await w.type(field("[data-notes]"), "first and the last words");
    field("[data-notes]").blur();
    await settle();
    expect(w.backend.notes.get(INC_47)?.text).toBe("first and the last words");
    await slow.arrive();
    expect(field("[data-notes]").value).toBe("first and the last words");
  });

  it("that cannot be saved are told of, until they are", async () => {
    const w = await open("night", at("overview"), (fake) =>
      fake.refuse.set("saveNotes", new BackendError("The disk is full.")),
    );
    await w.type(field("[data-notes]"), "do not lose this");
    field("[data-notes]").blur();
    await settle();
    expect(w.backend.unsaved).toBe(true);
    w.backend.refuse.clear();
    w.button("Try again").click();
    await settle();
    expect(w.backend.unsaved).toBe(false);
  });
});

describe("an entry", () => {
  const click = (on: Element, from: Element) => {
    from.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    on.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  };

  it("is not thrown away by Esc or a click beside it, and survives another page", async () => {
    const w = await open("night", at("timeline"));
    await w.press("n");
    const dialog = () => document.querySelector("dialog");
    await w.type(field("dialog textarea"), "Called the owner of the chart");
    click(dialog() ?? document.body, dialog() ?? document.body);
    await settle();
    expect(dialog()).not.toBeNull();
    const esc = new Event("cancel", { cancelable: true });
    dialog()?.dispatchEvent(esc);
    expect(esc.defaultPrevented).toBe(true);
    expect(w.backend.unsaved).toBe(true);

    w.backend.emit({ type: "open_incident", id: INC_46 });
    await settle();
    location.hash = at("timeline");
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    await w.press("n");
    expect(field("dialog textarea").value).toBe("Called the owner of the chart");
    w.button("Cancel").click();
    await settle();
    expect(w.backend.unsaved).toBe(false);
    await w.press("n");
    expect(field("dialog textarea").value).toBe("");
    // Nothing is typed: a click beside it closes, a selection dragged past the edge does not.
    click(dialog() ?? document.body, field("dialog textarea"));
    await settle();
    expect(dialog()).not.toBeNull();
    click(dialog() ?? document.body, dialog() ?? document.body);
    await settle();
    expect(dialog()).toBeNull();
  });
});

describe("the post-mortem", () => {
  it("keeps letters that are typed while it is read again", async () => {
    const w = await open("morning", at("postmortem"));
    const slow = late(w.backend.postmortem);
    const real = w.backend.postmortem;
    w.backend.postmortem = slow.ask;
    w.backend.change(INC_47, () => ({ title: "changed" }));
    await settle();
    w.backend.postmortem = real;
    await w.write("# Mine");
    await w.press("s", { ctrlKey: true });
    await slow.arrive();
    expect(w.source().state.doc.toString()).toBe("# Mine");
    expect(w.backend.papers.edited.get(INC_47)?.markdown).toBe("# Mine");
  });

  it("keeps what could not be saved when its tab is left, and saves it later", async () => {
    const w = await open("morning", at("postmortem"), (fake) =>
      fake.refuse.set("savePostmortem", new BackendError("The disk is full.")),
    );
    await w.write("# Mine");
    await w.press("Escape");
    await w.press("1");
    await w.press("4");
    expect(w.source().state.doc.toString()).toBe("# Mine");
    expect(w.text()).toContain("Not saved: The disk is full.");
    expect(w.backend.unsaved).toBe(true);
    w.backend.refuse.clear();
    w.button("Try again").click();
    await settle();
    expect(w.backend.papers.edited.get(INC_47)?.markdown).toBe("# Mine");
    expect(w.backend.unsaved).toBe(false);
  });

  it("gives a failed text up once it was filled from the record again", async () => {
    vi.useFakeTimers();
    const w = await open("morning", at("postmortem"), (fake) =>
      fake.refuse.set("savePostmortem", new BackendError("The disk is full.")),
    );
    await w.write("# Mine");
    await w.press("s", { ctrlKey: true });
    const again = () => w.choose("Rewrite", "Fill from the record again", 1);
    await again();
    w.button("Replace it").click();
    await settle();
    expect(w.source().state.doc.toString()).toBe("# Mine");
    w.backend.refuse.clear();
    await again();
    w.button("Replace it").click();
    await settle();
    expect(w.source().state.doc.toString()).toContain("17 m 48 s");
    expect(w.backend.unsaved).toBe(false);
    // The next try of the save that failed would be due.
    await vi.advanceTimersByTimeAsync(20_000);
    expect(w.backend.papers.edited.has(INC_47)).toBe(false);
  });
});
