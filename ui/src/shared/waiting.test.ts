import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { INC_47 } from "../ipc/story/ids";
import { openWindow, settle } from "../testing/window";

beforeEach(
  () => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] }),
);
afterEach(() => vi.useRealTimers());

async function pass(seconds: number) {
  await vi.advanceTimersByTimeAsync(seconds * 1000);
  await settle();
}

describe("a slow read", () => {
  it.each([
    [
      "an incident",
      `#/incident/${INC_47}/overview`,
      "incidentPage",
      "Reading the incident",
      "The incident was not read.",
    ],
    [
      "the one that is selected",
      `#/incidents/${INC_47}`,
      "incidentPage",
      "Reading the incident",
      "The incident was not read.",
    ],
    ["an item of evidence", `#/incident/${INC_47}/evidence/E6`, "evidenceItem", "Reading E6", "E6 was not read."],
    [
      "the post-mortem",
      `#/incident/${INC_47}/postmortem`,
      "postmortem",
      "Filling the draft from the record",
      "The draft was not filled.",
    ],
    ["the inbox", "#/incidents", "inbox", "Reading the record", "The incidents were not read."],
    ["the contexts", "#/clusters", "clusters", "Reading the contexts", "The contexts were not read."],
    ["the settings", "#/settings/rules", "settings", "Reading the settings", "The settings were not read."],
  ] as const)("says for how long, can be given up and tried again: %s", async (_, hash, method, what, stopped) => {
    const w = await openWindow("night", hash, (fake) => {
      vi.spyOn(fake, method).mockImplementation(() => new Promise<never>(() => {}));
    });
    const said = () => [...document.querySelectorAll("main [role=status]")].map((s) => s.textContent?.trim()).join();
    expect(said()).not.toContain(what);
    await pass(3);
    expect(said()).toContain(`${what}, 3 s`);
    expect(() => w.button("Cancel")).toThrow();
    await pass(2);
    w.button("Cancel").click();
    await settle();
    expect(said()).toContain(stopped);
    vi.mocked(w.backend[method]).mockRestore();
    w.button("Try again").click();
    await settle();
    expect(said()).not.toContain(stopped);
    expect(said()).not.toContain(what);
  });

  it("drops an answer that comes after it was given up", async () => {
    const w = await openWindow("night", `#/incident/${INC_47}/overview`, (fake) => void (fake.slow = 20_000));
    await pass(6);
    w.button("Cancel").click();
    await pass(20);
    expect(w.text()).toContain("The incident was not read.");
    expect(document.getElementById("incident-title")).toBeNull();
  });

  it("of a copy can be waited for no longer; it is written all the same, and said", async () => {
    const w = await openWindow("night", "#/settings/recording");
    w.backend.slow = 20_000;
    w.button("Back up now").click();
    await pass(6);
    w.button("Cancel").click();
    await settle();
    expect(w.text()).toContain("Not waited for: the copy is written all the same.");
    expect(w.button("Back up now").disabled).toBe(true);
    await pass(15);
    w.backend.slow = 0;
    await pass(21);
    expect(w.text()).toContain("Written to /home/mara/.local/share/afterwatch/backups/");
    expect(w.text()).not.toContain("Not waited for");
    expect(w.button("Back up now").disabled).toBe(false);
  });

  it("counts by the real clock while a drill is played faster", async () => {
    const w = await openWindow("first", "#/about");
    await w.backend.startDrill("memory-limit", 20);
    w.backend.slow = 60_000;
    w.button("Look again").click();
    await pass(3);
    expect(w.text()).toContain("Looking, 3 s");
  });
});
