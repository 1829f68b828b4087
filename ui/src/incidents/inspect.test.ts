import { expect, test, vi } from "vitest";
import { BackendError } from "../ipc/api";
import { INC_47 } from "../ipc/story/ids";
import { openWindow, settle } from "../testing/window";

async function asks(prepare?: Parameters<typeof openWindow>[2]) {
  const w = await openWindow("night", "", prepare);
  await w.press("k", { ctrlKey: true });
  const palette = document.querySelector<HTMLInputElement>("dialog input");
  if (!palette) throw new Error("no palette");
  await w.type(palette, "look into");
  await w.press("Enter");
  const field = document.querySelector<HTMLInputElement>("dialog input[role=combobox]");
  if (!field) throw new Error("no field");
  return { w, field, said: () => document.querySelector("dialog")?.textContent?.replace(/\s+/g, " ") ?? "" };
}
const options = () => [...document.querySelectorAll("dialog [role=option]")].map((o) => o.textContent ?? "");

test("a workload is found by typing, and what is wrong with it opens", async () => {
  const { w, field } = await asks();
  expect(options()).toHaveLength(5);
  await w.type(field, "deploy check");
  expect(options()[0]).toContain("Deployment checkout");
  expect(options()).toHaveLength(1);
  await w.press("Enter");
  expect(document.querySelector("dialog")).toBeNull();
  expect(location.hash).toBe(`#/incident/${INC_47}/overview`);
});

test("where nothing is found, it says what was looked at and what would tell", async () => {
  const { w, field, said } = await asks();
  await w.type(field, "cart");
  await w.press("ArrowDown");
  await w.press("ArrowUp");
  await w.press("Enter");
  expect(said()).toContain("Nothing was found on Deployment cart.");
  expect(said()).toContain("412 lines of 3 logs");
  expect(said()).toContain("nodes cannot be read, open");
  expect(said()).toContain("when it went wrong");
  w.button("Look into another…").click();
  await settle();
  expect(options().length).toBeGreaterThan(0);
});

test("a refusal is told, and another one can be asked about", async () => {
  const { w, said } = await asks((fake) =>
    fake.refuse.set("inspectWorkload", new BackendError("Recording is paused: nothing is known of now.")),
  );
  await w.press("Enter");
  expect(said()).toContain("Recording is paused");
  expect(w.button("Look into it").disabled).toBe(false);
});

test("whoever closes the dialog waits no longer: the look is cancelled, and nothing opens", async () => {
  const { w, field } = await asks();
  const cancel = vi.spyOn(w.backend, "cancelWriting");
  let answer = () => {};
  vi.spyOn(w.backend, "inspectWorkload").mockImplementation(
    () =>
      new Promise((done) => {
        answer = () =>
          done({
            subject: { api_version: "", kind: "Deployment", namespace: "shop", name: "checkout", uid: null },
            incidents: [INC_47],
            nothing: null,
            unread: [],
          });
      }),
  );
  await w.type(field, "checkout");
  await w.press("Enter");
  w.button("Close").click();
  await settle();
  answer();
  await settle();
  expect(cancel).toHaveBeenCalledOnce();
  expect(location.hash).not.toContain("incident/");
});

test("nothing is called so, and nothing is known", async () => {
  const { w, field, said } = await asks();
  await w.type(field, "zzz");
  expect(said()).toContain("Nothing is called “zzz”.");
  await w.press("Enter");
  expect(document.querySelector("dialog")).not.toBeNull();
});
