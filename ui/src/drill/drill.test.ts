import { expect, test } from "vitest";
import { openWindow, settle } from "../testing/window";

test("without a kubeconfig the first screen offers a recorded incident first", async () => {
  const w = await openWindow("no-kubeconfig", "#/clusters");
  const primary = document.querySelector(".btn.primary");
  expect(primary?.textContent).toContain("Try it on a recorded incident");
  w.button("Try it on a recorded incident").click();
  await settle();
  const dialog = document.querySelector("dialog");
  expect(dialog?.querySelectorAll("li")).toHaveLength(3);
  expect(dialog?.textContent).toContain("Open a file…");
});

test("a drill says on every screen that it is one, and leads back", async () => {
  const w = await openWindow("first", "#/clusters");
  expect(document.querySelector('[aria-label="Drill"]')).toBeNull();
  w.button("Try it on a recorded incident").click();
  await settle();
  w.button("Play: A memory limit that is too low").click();
  await settle();
  const bar = document.querySelector('[aria-label="Drill"]');
  expect(bar?.textContent?.replace(/\s+/g, " ")).toContain(
    "Drill: A memory limit that is too low. Nothing of it is kept.",
  );
  w.button("Leave the drill").click();
  await settle();
  expect(w.backend.drill).toBeNull();
});

test("a recording that cannot be played says why, and another may be tried", async () => {
  const { BackendError } = await import("../ipc/backend");
  const w = await openWindow("no-kubeconfig", "#/clusters", (fake) =>
    fake.refuse.set("startDrill", new BackendError("Line 1 is not the beginning of a recording.")),
  );
  w.button("Try it on a recorded incident").click();
  await settle();
  w.button("Open a file…").click();
  await settle();
  const dialog = document.querySelector("dialog");
  expect(dialog?.querySelector('[role="alert"]')?.textContent).toContain("Line 1 is not the beginning");
  expect(w.button("Open a file…").disabled).toBe(false);
});
