import { expect, it } from "vitest";
import { openWindow, settle } from "../testing/window";
import { Fake } from "../ipc/fake";

const idOf = (number: number) => new Fake().incidents.find((i) => i.number === number)?.id ?? "";
const open = (number: number) => openWindow("night", `#/incident/${idOf(number)}/overview`);
const boxes = () => [...document.querySelectorAll<HTMLButtonElement>(".drawing button")];

it("draws the objects around the fault, one stop for Tab, arrows along the edges", async () => {
  const w = await open(47);
  const group = document.querySelector(".drawing");
  expect(group?.getAttribute("role")).toBe("group");
  expect(boxes()).toHaveLength(9);
  expect(boxes().filter((b) => b.tabIndex === 0)).toHaveLength(1);
  const [cause, pods] = boxes();
  expect(cause?.textContent?.replace(/\s+/g, " ").trim()).toMatch(/^Cause ?Deployment ?checkout ?0 of 3 ready$/);
  expect(cause?.getAttribute("aria-label")).toContain("Cause: Deployment checkout, 0 of 3 ready.");
  expect(cause?.getAttribute("aria-label")).toContain("Service checkout selects Deployment checkout.");
  cause?.focus();
  await w.press("ArrowRight");
  expect(document.activeElement).toBe(pods);
  expect(pods?.tabIndex).toBe(0);
  expect(w.text()).toContain("Affected: 3 pods of checkout, 3 not ready: CrashLoopBackOff.");
  pods?.click();
  await settle();
  expect(w.backend.copied.at(-1)).toBe("kubectl --context prod-eu -n shop get pod checkout-5f8b97c6d-k2x7p -o yaml");
});

it("is heard with the words that stand in each box, shortened ones too", async () => {
  for (const number of [45, 47]) {
    await open(number);
    const plain = (text: string | null) => (text ?? "").replace(/[^\p{L}\p{N}]/gu, "");
    for (const box of boxes()) expect(plain(box.getAttribute("aria-label"))).toContain(plain(box.textContent));
  }
});

it("says the same as text", async () => {
  const w = await open(45);
  w.button("As text").click();
  await settle();
  expect(boxes()).toHaveLength(0);
  const section = w.button("As a drawing").closest("section");
  const text = section?.textContent?.replace(/\s+/g, " ") ?? "";
  expect(text).toContain("Cause StorageClass fast-ssd, does not exist");
  expect(text).toContain("PersistentVolumeClaim reports-cache is of StorageClass fast-ssd: the fault lies here.");
  for (const li of section?.querySelectorAll("li") ?? []) expect(li.querySelector("button")).not.toBeNull();
});

it("marks what is missing and what is broken by more than colour", async () => {
  await open(45);
  const missing = boxes()[0];
  expect(missing?.classList.contains("gone")).toBe(true);
  expect(missing?.textContent).toContain("does not exist");
  expect(document.querySelectorAll(".drawing .cross")).toHaveLength(1);
});

it("tells long names whole, where they are cut in the drawing too", async () => {
  await open(47);
  const pods = boxes()[1];
  expect(pods?.title).toBe("3 pods of checkout, 3 not ready: CrashLoopBackOff");
  expect(boxes()[5]?.title).toBe("ConfigMap checkout-config, 12 keys");
});

it("is absent where an earlier version recorded the incident; the list of objects is there as before", async () => {
  const w = await open(44);
  expect(boxes()).toHaveLength(0);
  expect(w.text()).not.toContain("Around the fault");
  expect(w.text()).toContain("Objects around it");
});

it("folds the list of all objects while the drawing is there", async () => {
  const w = await open(47);
  const show = w.button("Show all");
  const rows = () => show.closest("section")?.querySelectorAll("li").length;
  expect([rows(), show.getAttribute("aria-expanded")]).toEqual([0, "false"]);
  show.click();
  await settle();
  expect(rows()).toBeGreaterThan(5);
});
