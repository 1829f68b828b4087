import { expect, it } from "vitest";
import { INC_47 } from "./ipc/story/ids";
import { openWindow as open, settle } from "./testing/window";

const field = (label: string) => {
  const found = document.querySelector<HTMLInputElement>(`input[aria-label="${label}"]`);
  if (!found) throw new Error(`there is no field “${label}”`);
  return found;
};

it("ten thousand incidents are a list of which only a part is drawn, each with its place in the whole", async () => {
  const w = await open("many");
  const rows = document.querySelectorAll("[role=option]");
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.length).toBeLessThan(100);
  expect(rows[1]?.getAttribute("aria-posinset")).toBe("2");
  expect(rows[0]?.getAttribute("aria-setsize")).toBe("10001");
  await w.type(field("Filter incidents"), "INC-101");
  // INC-101, INC-1010 to INC-1019 and INC-10100.
  expect(document.querySelectorAll("[role=option]")).toHaveLength(12);
});

it("what the inbox does not hold is offered to be searched in the whole history", async () => {
  const w = await open();
  await w.type(field("Filter incidents"), "kafka lag");
  expect(w.text()).toContain("No incident here mentions “kafka lag”.");
  expect(w.button("Search the whole history for").getAttribute("href")).toBe("#/history?q=kafka%20lag");
});

it("five thousand entries are walked by keys, and the axis is zoomed by + and shown whole by 0", async () => {
  const w = await open("many", `#/incident/${INC_47}/timeline`);
  expect(document.querySelectorAll("ol > li").length).toBeLessThan(150);
  await w.press("j");
  expect(document.activeElement?.id).toMatch(/^entry-/);
  const axis = () => [...document.querySelectorAll(".swim svg > text")].map((t) => t.textContent).join();
  const before = axis();
  await w.press("+");
  expect(axis()).not.toBe(before);
  expect(w.button("Whole")).toBeTruthy();
  await w.press("0");
  expect(axis()).toBe(before);
  expect(() => w.button("Whole")).toThrow();
});

it("a log is narrowed to the lines that mention something, and to those of a template", async () => {
  const w = await open("night", `#/incident/${INC_47}/evidence/E6`);
  await settle();
  await w.type(field("Find in this log"), "heap 171");
  expect(document.querySelectorAll(".code .line")).toHaveLength(1);
  expect(document.querySelector(".code .line")?.textContent).toContain("211");
  w.button("Show all lines").click();
  await settle();
  document.querySelector<HTMLElement>("table button")?.click();
  await settle();
  expect(document.querySelectorAll(".code .line")).toHaveLength(1);
  expect(w.text()).toContain("Lines of this template 1 of 214");
});
