import { describe, expect, it } from "vitest";
import { BackendError } from "../ipc/api";
import { INC_44, INC_46, INC_47 } from "../ipc/story/ids";
import { openWindow as open, settle } from "../testing/window";

const at = (tab: string) => `#/incident/${INC_47}/${tab}`;
const dialog = () => document.querySelector<HTMLDialogElement>("dialog");
const submit = async () => {
  document.querySelector("dialog form")?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  await settle();
};
async function more(w: Awaited<ReturnType<typeof open>>, name: string) {
  w.button("More").click();
  await settle();
  [...document.querySelectorAll<HTMLElement>("[role=menuitem]")].find((i) => i.textContent?.includes(name))?.click();
  await settle();
}

describe("what a person can do with an incident", () => {
  it("is silenced with M until an end that is chosen, and the list says until when", async () => {
    const w = await open("night", at("overview"));
    await w.press("m");
    [...document.querySelectorAll<HTMLInputElement>("dialog [type=radio]")][2]?.click();
    await settle();
    expect(w.button("Silence until 09:00")).toBeTruthy();
    await submit();
    expect(w.text()).toContain("Notifications for checkout are silenced until 09:00.");
    await w.press("Escape");
    expect(document.getElementById(`row-${INC_47}`)?.textContent).toContain("Silenced until 09:00");
  });

  it("takes others in, which then point to it", async () => {
    const w = await open("night", at("overview"));
    await more(w, "Merge…");
    const [box] = document.querySelectorAll<HTMLInputElement>("dialog [type=checkbox]");
    box?.click();
    await settle();
    await submit();
    expect(w.backend.incidents.find((i) => i.id === INC_46)?.merged_into).toBe(INC_47);
    expect(dialog()).toBeNull();
  });

  it("gives findings away, but never all of them", async () => {
    const w = await open("night", at("overview"));
    await more(w, "Split off…");
    const boxes = [...document.querySelectorAll<HTMLInputElement>("dialog [type=checkbox]")];
    for (const box of boxes) box.click();
    await settle();
    expect(dialog()?.textContent).toContain("One finding must stay");
    expect(w.button("Split off").disabled).toBe(true);
    for (const box of boxes.slice(0, 3)) box.click();
    await settle();
    await submit();
    expect(location.hash).toBe("#/incident/01995f2a-7c00-7000-8000-000000000048/overview");
    expect(w.backend.incidents.find((i) => i.id === INC_47)?.findings).toHaveLength(3);
  });

  it("is closed as known with the rule and the object that are remembered", async () => {
    const w = await open("night", at("overview"));
    await more(w, "Not an incident…");
    expect(dialog()?.textContent).toContain("container-oom-killed on Pod checkout-5f8b97c6d-k2x7p");
    await submit();
    expect(w.backend.incidents.find((i) => i.id === INC_47)?.state).toBe("resolved");
  });

  it("keeps an address of a ticket, and nothing that is none", async () => {
    const w = await open("night", at("overview"));
    await more(w, "Ticket link…");
    const field = document.querySelector<HTMLInputElement>("dialog input");
    if (!field) throw new Error("no field");
    await w.type(field, "javascript:alert(1)");
    await submit();
    expect(w.backend.incidents[0]?.ticket).toBeNull();
    await w.type(field, "https://tickets.example/OPS-12");
    await submit();
    expect(w.backend.incidents[0]?.ticket).toBe("https://tickets.example/OPS-12");
    w.button("tickets.example/OPS-12").click();
    await settle();
    expect(w.backend.copied).toEqual(["https://tickets.example/OPS-12"]);
  });

  it("is deleted only when its number was typed", async () => {
    const w = await open("night", at("overview"));
    await more(w, "Delete…");
    expect(dialog()?.textContent).toContain("Lost are 17 items of evidence");
    await submit();
    expect(w.backend.incidents.some((i) => i.id === INC_47)).toBe(true);
    const field = document.querySelector<HTMLInputElement>("dialog input");
    if (field) await w.type(field, "inc-47");
    w.backend.refuse.set("deleteIncident", new BackendError("The disk is full."));
    await submit();
    expect(dialog()).not.toBeNull();
    w.backend.refuse.clear();
    await submit();
    expect(w.backend.incidents.some((i) => i.id === INC_47)).toBe(false);
    expect(w.text()).not.toContain("checkout has no ready pods");
  });

  it("has its notes back as they once were", async () => {
    const w = await open("night", at("overview"));
    const notes = document.querySelector<HTMLTextAreaElement>("[data-notes]");
    if (!notes) throw new Error("no notes");
    for (const text of ["first thought", "second thought"]) {
      await w.type(notes, text);
      notes.blur();
      await settle();
    }
    w.button("Versions of the notes…").click();
    await settle();
    [...document.querySelectorAll<HTMLElement>("dialog li button")][1]?.click();
    await settle();
    w.button("Put this version back").click();
    await settle();
    expect(w.backend.notes.get(INC_47)?.text).toBe("first thought");
    expect(notes.value).toBe("first thought");
  });
});

describe("several incidents", () => {
  it("are chosen with X, merged into the first that began, or written to one file", async () => {
    const w = await open();
    await w.press("x");
    await w.press("j");
    await w.press("x");
    expect(w.text()).toContain("2 chosen");
    w.button("Export…").click();
    await settle();
    expect(w.text()).toContain("2 post-mortems written to");
    w.button("Merge…").click();
    await settle();
    // The CronJob failed before checkout did.
    expect(w.button("Merge into INC-46")).toBeTruthy();
    await submit();
    expect(w.backend.incidents.find((i) => i.id === INC_47)?.merged_into).toBe(INC_46);
    expect(w.text()).not.toContain("2 chosen");
  });

  it("of two clusters are never one fault", async () => {
    const w = await open();
    await w.press("x");
    document.getElementById(`row-${INC_44}`)?.dispatchEvent(new MouseEvent("click", { bubbles: true, ctrlKey: true }));
    await settle();
    expect(w.button("Merge…").disabled).toBe(true);
    expect(w.text()).toContain("Incidents of two clusters cannot be one fault.");
    await w.press("Escape");
    expect(w.text()).not.toContain("2 chosen");
  });
});

describe("the palette", () => {
  const options = () => [...document.querySelectorAll<HTMLElement>("dialog [role=option]")];
  const typed = async (w: Awaited<ReturnType<typeof open>>, text: string) => {
    await w.press("k", { ctrlKey: true });
    const field = document.querySelector<HTMLInputElement>("dialog input");
    if (!field) throw new Error("no field");
    await w.type(field, text);
  };

  it("goes to an incident by parts of its words", async () => {
    const w = await open();
    await typed(w, "thumb gc");
    expect(options()[0]?.textContent).toContain("INC-46 CronJob thumbnail-gc");
    await w.press("Enter");
    expect(location.hash).toBe(`#/incident/${INC_46}/overview`);
    expect(dialog()).toBeNull();
  });

  it("runs a command with the keys alone, and offers only what can be done now", async () => {
    const w = await open("night", at("overview"));
    await typed(w, "zoom");
    expect(options()).toHaveLength(0);
    expect(dialog()?.textContent).toContain("Nothing is called “zoom” here.");
    await w.press("k", { ctrlKey: true });
    await typed(w, "evidence");
    await w.press("Enter");
    expect(location.hash).toBe(at("evidence"));
    await typed(w, "deployment checkout");
    const found = options().find((o) => o.textContent?.trim().startsWith("Deployment checkout"));
    expect(found?.textContent).toContain("INC-47, C2");
  });

  it("marks one option, moved by the arrows around the end", async () => {
    const w = await open();
    await typed(w, "go to");
    const count = options().length;
    expect(count).toBeGreaterThanOrEqual(4);
    await w.press("ArrowUp");
    expect(options().findIndex((o) => o.getAttribute("aria-selected") === "true")).toBe(count - 1);
    expect(document.querySelector("[role=combobox]")?.getAttribute("aria-activedescendant")).toBe(
      options()[count - 1]?.id,
    );
  });
});
