// The post-mortem as a person works on it: in the whole window, over a made-up program.
import { EditorSelection } from "@codemirror/state";
import axe from "axe-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../ipc/api";
import { INC_47 } from "../ipc/story/ids";
import { openWindow, settle } from "../testing/window";

afterEach(() => vi.useRealTimers());

const open = (prepare?: Parameters<typeof openWindow>[2]) =>
  openWindow("morning", `#/incident/${INC_47}/postmortem`, prepare);
type Window = Awaited<ReturnType<typeof open>>;
const source = (w: Window) => w.source().state.doc.toString();
const checks = () => document.querySelector("[aria-label=Checks]")?.textContent?.replace(/\s+/g, " ") ?? "";
const dialog = () => document.querySelector("dialog")?.textContent?.replace(/\s+/g, " ") ?? "";
/** As long as a person rests until the text is checked again. */
async function rest() {
  await new Promise((done) => setTimeout(done, 300));
  await settle();
}
async function caretAt(w: Window, word: string) {
  w.source().focus();
  w.source().dispatch({ selection: EditorSelection.cursor(source(w).indexOf(word)) });
  await settle();
}

describe("the checks", () => {
  it("count what cites, what says it is not established, and show what cites nothing as it is typed", async () => {
    const w = await open();
    expect(checks()).toContain("7 cite a recorded item");
    expect(checks()).toContain("2 say what is not established");
    expect(checks()).toContain("Cites nothing Line 25: “The upgrade ran at night with nobody watching.”");
    await w.write("# One\n\nIt broke by itself.\n\nIt was E99 [E99].\n");
    await rest();
    expect(checks()).toContain("Line 3: “It broke by itself.”");
    expect(checks()).toContain("E99 is not in the record");
    expect(w.target.querySelector(".cm-nothing")?.textContent).toBe("It broke by itself.");
    expect(w.target.querySelector(".report .nothing")?.textContent).toBe("It broke by itself.");
  });

  it("jump to the sentence, mark it, and find evidence for it", async () => {
    const w = await open();
    w.button("Cites nothing").click();
    await settle();
    const { from, to } = w.source().state.selection.main;
    expect(source(w).slice(from, to)).toBe("The upgrade ran at night with nobody watching.");
    w.button("Find evidence for line 25").click();
    await settle();
    expect(document.activeElement).toBe(document.querySelector("[aria-label=Checks] input[type=search]"));
    w.button("Cite C2").click();
    await rest();
    expect(source(w)).toContain("- The upgrade ran at night with nobody watching [C2].");
    expect(checks()).not.toContain("Cites nothing");

    await w.write("It broke by itself.\n");
    await rest();
    w.button("Mark line 1 as not established").click();
    await rest();
    expect(source(w)).toBe("*Not established:* It broke by itself.\n");
    expect(checks()).toContain("1 says what is not established");
  });

  it("put evidence in where the caret stands", async () => {
    const w = await open();
    await w.write("Killed");
    w.source().dispatch({ selection: EditorSelection.cursor(6) });
    w.button("Cite E5").click();
    await settle();
    expect(source(w)).toBe("Killed [E5]");
  });

  it("list the times and the action items", async () => {
    await open();
    expect(checks()).toContain("Time to resolve (MTTR) 29 m 08 s");
    expect(checks()).toContain("Correct the chart value prevent · Mara · by 13 Nov");
  });
});

describe("an item", () => {
  it("is cited where the caret was last: in the post-mortem, or in the notes", async () => {
    const w = await open();
    await caretAt(w, "## Impact");
    await w.press("Escape");
    await w.press("3");
    w.button("Cite in post-mortem").click();
    await settle();
    expect(w.backend.papers.edited.get(INC_47)?.markdown).toMatch(/\[[EC]\d+\] ## Impact/);
    await w.press("1");
    const notes = document.querySelector<HTMLTextAreaElement>("[data-notes]");
    if (!notes) throw new Error("no notes");
    await w.type(notes, "Seen");
    notes.blur();
    await settle();
    await w.press("3");
    expect(w.button("Cite in notes")).toBeTruthy();
  });
});

describe("the review", () => {
  it("has a status with time and person, and an edit of what was reviewed is asked about", async () => {
    const w = await open();
    await w.choose("Status", "Reviewed");
    expect(w.backend.papers.status.get(INC_47)?.status).toBe("reviewed");
    const before = source(w);
    await w.write("# Mine");
    expect(source(w)).toBe(before);
    expect(dialog()).toContain("An edit makes it a draft again");
    w.button("Leave it reviewed").click();
    await settle();
    expect(source(w)).toBe(before);
    await w.write("# Mine");
    w.button("Edit as a draft").click();
    await settle();
    expect(source(w)).toBe("# Mine");
    await w.press("s", { ctrlKey: true });
    expect(w.backend.papers.status.get(INC_47)?.status).toBe("draft");
    expect(w.button("Status: Draft")).toBeTruthy();
  });

  it("freezes the text the record filled when it begins", async () => {
    const w = await open();
    const filled = source(w);
    await w.choose("Status", "In review");
    expect(w.backend.papers.edited.get(INC_47)?.markdown).toBe(filled);
    expect(w.text()).toContain("Edited by a person.");
  });
});

describe("versions", () => {
  it("are compared and put back, and what they replace stays", async () => {
    const w = await open();
    await w.write("# First\n\nOne [E5].\n");
    await w.press("s", { ctrlKey: true });
    await w.write("# Second\n\nOne [E5].\n");
    await w.press("s", { ctrlKey: true });
    await w.choose("Rewrite", "Versions");
    expect(document.querySelectorAll("dialog li")).toHaveLength(3);
    expect(document.querySelector("dialog .del")?.textContent).toContain("# First");
    expect(document.querySelector("dialog .add")?.textContent).toContain("# Second");
    w.button("Put this version back").click();
    await settle();
    expect(source(w)).toContain("# First");
    const kept = (await w.backend.postmortemVersions(INC_47)).map((v) => [v.origin, v.markdown?.split("\n")[0]]);
    expect(kept.slice(0, 2)).toEqual([
      ["restored", "# First"],
      ["typed", "# Second"],
    ]);
  });
});

describe("a shape", () => {
  it("is filled at once while nobody has edited, and asks before it replaces what a person wrote", async () => {
    const w = await open();
    await w.choose("Rewrite", "Google SRE");
    expect(source(w)).toContain("## Overview");
    expect(document.querySelector("dialog")).toBeNull();
    await w.write("# Mine");
    await w.press("s", { ctrlKey: true });
    await w.choose("Rewrite", "Atlassian");
    expect(dialog()).toContain("stays among the versions");
    w.button("Keep the text").click();
    await settle();
    expect(source(w)).toBe("# Mine");
    await w.choose("Rewrite", "Atlassian");
    w.button("Replace it").click();
    await settle();
    expect(source(w)).toContain("17 m 48 s");
    expect((await w.backend.postmortemVersions(INC_47)).map((v) => v.markdown)).toContain("# Mine");
  });
});

describe("a section", () => {
  it("is worded anew only as far as it is taken", async () => {
    const w = await open();
    await caretAt(w, "helm lowered");
    await w.choose("Rewrite", "Word this section");
    expect(dialog()).toContain("Summary: worded anew");
    expect(dialog()).toContain("Qwen3-4B Instruct, on this laptop, ");
    expect(dialog()).toContain("2 of 2 sentences tied to evidence");
    const before = source(w);
    w.button("Leave it as it is").click();
    await settle();
    expect(source(w)).toBe(before);
    await w.choose("Rewrite", "Word this section");
    w.button("Take it").click();
    await settle();
    expect(source(w)).toContain(
      "## Summary\n\nA Helm upgrade lowered the memory limit of checkout from 512Mi to 192Mi at 02:54:07 [C2].",
    );
    expect(source(w)).toContain("## Impact\n\nService checkout");
    expect((await w.backend.postmortemVersions(INC_47))[0]?.origin).toBe("worded");
  });

  it("is filled from the record again, and a person's sentence can be left in it", async () => {
    const w = await open();
    const filled = source(w);
    await w.write(filled.replace("## Root cause\n\n", "## Root cause\n\nI wrote this.\n\n"));
    await caretAt(w, "I wrote this");
    await w.choose("Rewrite", "Fill from the record again");
    expect(dialog()).toContain("Root cause: from the record");
    expect(dialog()).toContain("I wrote this.");
    w.button("Take it").click();
    await settle();
    expect(source(w)).toBe(filled);
  });

  it("that a model does not write leaves the text, and says why", async () => {
    const w = await open((fake) => fake.refuse.set("wordSection", new BackendError("The model stopped.")));
    const before = source(w);
    await caretAt(w, "helm lowered");
    await w.choose("Rewrite", "Word this section");
    expect(dialog()).toContain("The section was not written. The text stays as it is. The model stopped.");
    expect(source(w)).toBe(before);
  });

  it("shows how far the model is, and stops it when the question is closed", async () => {
    const w = await open((fake) => (fake.assistant.pace = null));
    const cancel = vi.spyOn(w.backend, "cancelWriting");
    await caretAt(w, "helm lowered");
    await w.choose("Rewrite", "Word this section");
    w.backend.assistant.run?.step({ type: "words", more: "A Helm upgrade lowered ", tokens_per_second: 11.4 });
    await settle();
    expect(dialog()).toContain("Writing, 4 words not checked yet, 11.4 tokens a second");
    expect(dialog()).toContain("A Helm upgrade lowered");
    w.button("Cancel").click();
    await settle();
    expect(cancel).toHaveBeenCalledOnce();
  });
});

describe("while only the preview is shown", () => {
  it("a press on a check brings the source back and leads to the sentence", async () => {
    const w = await open();
    w.button("Read").click();
    await settle();
    expect(w.target.querySelector(".cm-editor")).toBeNull();
    w.button("Cites nothing").click();
    await settle();
    await settle();
    const { from, to } = w.source().state.selection.main;
    expect(source(w).slice(from, to)).toBe("The upgrade ran at night with nobody watching.");
  });

  it("a section that is taken is taken", async () => {
    const w = await open();
    w.button("Read").click();
    await settle();
    await w.choose("Rewrite", "Word this section");
    w.button("Take it").click();
    await settle();
    await settle();
    expect(source(w)).toContain("## Summary\n\nA Helm upgrade lowered the memory limit of checkout");
    expect((await w.backend.postmortemVersions(INC_47))[0]?.origin).toBe("worded");
  });
});

describe("a text that could not be saved", () => {
  it("is not given up for a status", async () => {
    const w = await open();
    await w.write("# Mine");
    w.backend.refuse.set("savePostmortem", new BackendError("The disk is full."));
    await w.choose("Status", "In review");
    expect(w.text()).toContain("The text that stands here is not saved: The disk is full.");
    expect(source(w)).toBe("# Mine");
    expect(w.backend.papers.status.get(INC_47)).toBeUndefined();
  });
});

describe("the export", () => {
  it("says what will be marked, and where the file is", async () => {
    const w = await open();
    w.button("Export").click();
    await settle();
    const menu = document.querySelector("[role=menu]")?.textContent?.replace(/\s+/g, " ");
    expect(menu).toContain("1 sentence cites nothing that is in the record. It is printed as “not established”.");
    expect(menu).toContain("“Draft” is printed at the head of each page.");
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join("\n")}`)).toEqual([]);
    await w.press("Escape");
    await w.press("P", { ctrlKey: true, shiftKey: true });
    expect(w.text()).toContain("Saved to /home/mara/Documents/INC-47-checkout.pdf, 184 kB");
    w.button("Show in folder").click();
    w.button("Copy path").click();
    await settle();
    expect(w.backend.papers.opened).toEqual(["/home/mara/Documents/INC-47-checkout.pdf"]);
    expect(w.backend.copied).toEqual(["/home/mara/Documents/INC-47-checkout.pdf"]);
  });

  it("says why there is no file, and asks for another place", async () => {
    const refusal = new BackendError("PDF not written: no space in ~/Documents.", "not_written");
    const w = await open((fake) => fake.refuse.set("exportPostmortem", refusal));
    await w.choose("Export", "PDF");
    expect(w.text()).toContain("PDF not written: no space in ~/Documents.");
    w.backend.refuse.clear();
    w.button("Choose another place").click();
    await settle();
    expect(w.text()).toContain("Saved to");
    expect(w.text()).not.toContain("no space");
  });

  it("writes Markdown with its figure beside it, and front matter when that is wanted", async () => {
    const w = await open();
    await w.choose("Export", "Front matter");
    await w.press("Escape");
    await w.choose("Export", "Markdown");
    expect(w.backend.papers.written).toEqual([{ format: "md", frontMatter: true }]);
    expect(w.text()).toContain("with INC-47-checkout.svg beside it");
  });

  it("copies the text as the record has it, without what was taken out, and with what is not established marked", async () => {
    const w = await open();
    await w.write("# Mine\n");
    const save = w.backend.savePostmortem;
    w.backend.savePostmortem = (id, text, origin) => save(id, text?.replace(/hunter2/, "‹removed›") ?? null, origin);
    await w.write("# Mine\n\ntoken=hunter2 [E5].\n\nIt broke by itself.\n");
    await w.choose("Export", "Copy Markdown");
    expect(w.backend.copied).toEqual(["# Mine\n\ntoken=‹removed› [E5].\n\n*Not established:* It broke by itself.\n"]);
  });

  it("puts a summary for a chat on the clipboard", async () => {
    const w = await open();
    await w.choose("Export", "Copy summary for chat");
    expect(w.backend.copied[0]).toContain("INC-47");
  });
});

describe("the keys", () => {
  it("leave the source by Esc, then work; Enter goes on with a list", async () => {
    const w = await open();
    await w.write("- one");
    w.source().dispatch({ selection: EditorSelection.cursor(5) });
    w.source().contentDOM.dispatchEvent(
      new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }),
    );
    await settle();
    expect(source(w)).toBe("- one\n- ");
    await w.press("2");
    expect(location.hash).toContain("postmortem");
    await w.press("Escape");
    await w.press("2");
    expect(location.hash).toContain("timeline");
  });
});
