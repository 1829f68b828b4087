import axe from "axe-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../ipc/api";
import { shown } from "../shared/zone.svelte";
import { openWindow as open, settle } from "../testing/window";
import look from "../../public/look.js?raw";

afterEach(() => {
  vi.useRealTimers();
  shown.utc = false;
  delete document.documentElement.dataset["theme"];
  document.documentElement.style.fontSize = "";
});

const select = (name: string) =>
  document.querySelector<HTMLSelectElement>(`select[aria-label="${name}"]`) ?? expect.fail(`no list ${name}`);
const chosen = (name: string) => select(name).selectedOptions[0]?.textContent;
async function choose(name: string, option: string) {
  const list = select(name);
  list.selectedIndex = [...list.options].findIndex((o) => o.textContent?.startsWith(option));
  if (list.selectedIndex < 0) throw new Error(`${name} has no ${option}`);
  list.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
}
const box = (name: string) =>
  [...document.querySelectorAll<HTMLInputElement>("input[type=checkbox]")].find((b) =>
    (b.getAttribute("aria-label") ?? b.closest("label")?.textContent ?? "").trim().startsWith(name),
  ) ?? expect.fail(`no switch ${name}`);
async function press(name: string) {
  box(name).click();
  await settle();
}
async function write(name: string, text: string) {
  const field = document.querySelector<HTMLInputElement>(`input[aria-label="${name}"]`) ?? expect.fail(`no ${name}`);
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
  return field;
}

describe("notifications", () => {
  it("are chosen by severity; a change holds at once", async () => {
    const w = await open("night", "#/settings/notifications");
    expect(chosen("Critical incidents")).toBe("at once");
    await choose("High incidents", "in the morning");
    await choose("Recovery", "never");
    await press("after 5 minutes");
    expect(w.backend.prefs.page.notifications).toMatchObject({
      high: "morning",
      recovered: "never",
      lost_sight: false,
    });
  });

  it("that cannot be kept say so, and go back", async () => {
    const w = await open("night", "#/settings/notifications");
    w.backend.refuse.set("setNotifications", new BackendError("the disk is full."));
    await choose("High incidents", "only in the window");
    expect(chosen("High incidents")).toBe("at once");
    await press("hide names");
    expect(box("hide names").checked).toBe(false);
    expect(w.text()).toContain("Not changed: the disk is full.");
  });

  it("have quiet hours, with times as people type them", async () => {
    const w = await open("night", "#/settings/notifications");
    expect((await write("From", "2130")).value).toBe("21:30");
    expect((await write("To", "25:00")).value).toBe("07:00");
    expect(w.text()).toContain("A time reads like 08:30.");
    expect(w.backend.prefs.page.notifications.quiet_hours).toMatchObject({ from: "21:30", to: "07:00" });
    await press("Quiet hours");
    expect(w.backend.prefs.page.notifications.quiet_hours).toBeNull();
    expect(w.text()).toContain("none: everything comes when it happens");
  });

  it("know until when one is on call", async () => {
    const w = await open("night", "#/settings/notifications");
    expect(chosen("On call")).toBe("until Mon 16 Nov, 09:00");
    await choose("On call", "not on call");
    expect(w.backend.prefs.page.notifications.on_call_until).toBeNull();
    await choose("On call", "until Fri 13 Nov, 09:00");
    expect(w.backend.prefs.page.notifications.on_call_until).toBe("2026-11-13T08:00:00.000Z");
    await choose("On call", "until another time");
    await write("On call until", "2026-11-01 09:00");
    expect(w.text()).toContain("A time to come, like 2026-11-16 09:00.");
    await write("On call until", "2026-11-20 18:30");
    expect(w.backend.prefs.page.notifications.on_call_until).toBe("2026-11-20T17:30:00.000Z");
    expect(chosen("On call")).toBe("until Fri 20 Nov, 18:30");
  });

  it("list the known issues with their end, which can be ended", async () => {
    const w = await open("night", "#/settings/notifications");
    expect(w.text()).toContain("until Sat 14 Nov, 09:00, known, waits for the new driver");
    w.button("End now").click();
    await settle();
    expect(w.text()).toContain("Nothing is silenced.");
  });

  it("are tried, and say why none can be shown", async () => {
    const w = await open("night", "#/settings/notifications");
    w.button("Send a test").click();
    await settle();
    expect(w.text()).toContain("Sent. If none appeared");
    w.backend.refuse.set("testNotification", new BackendError("No notification service answers."));
    w.button("Send a test").click();
    await settle();
    expect(w.text()).toContain("No notification service answers.");
  });
});

describe("rules", () => {
  it("say what they mean, can be switched off, and wait as long as is asked", async () => {
    const w = await open("night", "#/settings/rules");
    expect(w.text()).toContain("A container was killed for exceeding its memory limit.");
    await press("container-oom-killed");
    await choose("image-pull-failing: opens an incident", "after 5 m");
    const rule = (id: string) => w.backend.prefs.page.rules.find((r) => r.id === id);
    expect(rule("container-oom-killed")).toMatchObject({ on: false, hold_s: null });
    expect(rule("image-pull-failing")).toMatchObject({ on: true, hold_s: 300 });
    expect(w.text()).toContain("10 rules, 1 off");
    await choose("image-pull-failing: opens an incident", "as the rule says");
    expect(rule("image-pull-failing")?.hold_s).toBeNull();
  });

  it("have thresholds with their unit, which take whole numbers within their limits and go back when emptied", async () => {
    const w = await open("night", "#/settings/rules");
    const set = (id: string) => w.backend.prefs.page.rules.find((r) => r.id === id)?.threshold?.set;
    const ends = "container-oom-killed: tells of a container that has ended at least, in times";
    expect((await write(ends, "3")).value).toBe("3");
    expect(set("container-oom-killed")).toBe(3);
    expect(w.text()).toContain("times, by itself 1");
    expect((await write(ends, "0")).value).toBe("3");
    expect(w.text()).toContain("A whole number from 1 to 100.");
    expect((await write(ends, "")).value).toBe("1");
    expect(set("container-oom-killed")).toBeNull();
    expect(set("job-failed")).toBe(24);
  });

  it("ignore a namespace or a label, which is listed and can be taken back", async () => {
    const w = await open("night", "#/settings/rules");
    await write("Namespace", "Not a name");
    expect(w.text()).toContain("A namespace has small letters, digits and hyphens.");
    await choose("What to ignore", "Label");
    await write("Label", "team=training");
    await choose("Cluster", "in prod-eu");
    w.button("Ignore").click();
    await settle();
    expect(w.text()).toContain("label team=training in prod-eu");
    w.button("Take back: label team=training").click();
    await settle();
    expect(w.backend.prefs.page.ignored.map((entry) => entry.id)).toEqual(["i1", "i2"]);
  });

  it("keep what was said not to be an incident, and let it be taken back", async () => {
    const w = await open("night", "#/settings/rules");
    w.button("Take back: job-failed on CronJob billing-import").click();
    await settle();
    expect(w.text()).toContain("Nothing was said not to be an incident.");
    expect(w.backend.prefs.page.ignored).toHaveLength(1);
  });
});

describe("watching and recording", () => {
  it("switch a cluster, the pause and the start at login", async () => {
    const w = await open("night", "#/settings/watching");
    await press("Watch acme-pre");
    await press("start in the tray");
    expect(w.backend.page.clusters.find((c) => c.name === "acme-pre")?.watched).toBe(true);
    expect(w.backend.startsAtLogin).toBe(true);
    w.backend.refuse.set("setAutostart", new BackendError("~/.config/autostart cannot be written."));
    await press("start in the tray");
    expect(box("start in the tray").checked).toBe(true);
    expect(w.text()).toContain("~/.config/autostart cannot be written.");
    await press("paused");
    expect(w.backend.page.paused).toBe(true);
  });

  it("change how long things are kept, and show the size and the paths", async () => {
    const w = await open("night", "#/settings/recording");
    expect(w.text()).toContain("1.3 GB47 incidents, recorded since 3 Mar");
    await choose("Excerpts of evidence", "for ever");
    await choose("Changes and coverage", "3 months");
    expect(w.backend.prefs.page.retention).toEqual({ evidence_days: null, changes_days: 90 });
    w.button("Copy the path: history").click();
    w.button("Back up now").click();
    await settle();
    expect(w.backend.copied).toEqual(["/home/mara/.local/share/afterwatch/afterwatch.db"]);
    expect(w.text()).toContain("Written to /home/mara/.local/share/afterwatch/backups/afterwatch-2026-11-12");
  });
});

it("recording says during a drill that it is of one's own record", async () => {
  const w = await open("night", "#/settings/recording");
  expect(w.text()).not.toContain("not the drill");
  await w.backend.startDrill("memory-limit", 20);
  await settle();
  expect(w.text()).toContain("This is your own record, not the drill.");
});

describe("appearance", () => {
  it("follows a change at once: theme, size, zone and letters", async () => {
    const w = await open("night", "#/settings/appearance");
    w.button("Dark").click();
    w.button("UTC").click();
    await settle();
    await choose("Size of everything", "125 %");
    await press("act as keys");
    expect(document.documentElement.dataset["theme"]).toBe("dark");
    expect(document.documentElement.style.fontSize).toBe("125%");
    expect(document.querySelector("header time")?.textContent).toMatch(/^02:09 UTC$/);
    expect(w.backend.prefs.page.appearance).toEqual({ theme: "dark", clock: "utc", zoom: 125, single_keys: false });
    await w.press("?");
    expect(document.querySelector("dialog")).toBeNull();
  });

  it("is as it was kept when the window opens, and goes back when it cannot be kept", async () => {
    const w = await open("night", "#/settings/appearance", (fake) => {
      fake.prefs.page = {
        ...fake.prefs.page,
        appearance: { theme: "light", single_keys: true, clock: "utc", zoom: 90 },
      };
    });
    expect(document.documentElement.dataset["theme"]).toBe("light");
    expect(chosen("Size of everything")).toBe("90 %");
    w.backend.refuse.set("setAppearance", new BackendError("the record cannot be written."));
    w.button("Dark").click();
    await settle();
    expect(document.documentElement.dataset["theme"]).toBe("light");
    expect(w.text()).toContain("the record cannot be written.");
  });

  it("is there before anything is painted the next time", async () => {
    const page = document.documentElement;
    const opensAnew = () => {
      delete page.dataset["theme"];
      page.style.fontSize = "";
      new Function(look)();
      return [page.dataset["theme"], page.style.fontSize];
    };
    const w = await open("night", "#/settings/appearance");
    w.button("Dark").click();
    await settle();
    await choose("Size of everything", "125 %");
    expect(opensAnew()).toEqual(["dark", "125%"]);
    w.button("As the desktop").click();
    await settle();
    await choose("Size of everything", "100 %");
    expect(opensAnew()).toEqual([undefined, ""]);
  });

  it("has its steps under Ctrl + and −", async () => {
    const w = await open("night", "#/incidents");
    await w.press("+", { ctrlKey: true });
    expect(w.backend.prefs.page.appearance.zoom).toBe(110);
    await w.press("-", { ctrlKey: true });
    await w.press("-", { ctrlKey: true });
    expect(document.documentElement.style.fontSize).toBe("90%");
    await w.press("0", { ctrlKey: true });
    expect(w.backend.prefs.page.appearance.zoom).toBe(100);
  });
});

describe("about", () => {
  it("shows each check with its word and what to do, and copies the report", async () => {
    const w = await open("night", "#/about");
    expect(w.text()).toContain("2 of 7 need a look");
    const broken = [...document.querySelectorAll("li")].find((li) => li.textContent?.includes("kubelogin"));
    expect(broken?.textContent).toContain("Broken");
    expect(broken?.textContent).toContain("Run kubectl --context edge-lab get pods once in a terminal");
    w.button("Copy report").click();
    await settle();
    expect(w.backend.copied[0]).toContain("fail  edge-lab: token expired");
  });

  it("shows that it looks, and can be cancelled", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    const w = await open("night", "#/about", (fake) => void (fake.slow = 60_000));
    await vi.advanceTimersByTimeAsync(6500);
    await settle();
    expect(w.text()).toMatch(/Looking, [56] s/);
    w.button("Cancel").click();
    await settle();
    expect(w.text()).toContain("Not looked.");
  });

  it("says why it could not look", async () => {
    await open("night", "#/about", (fake) => fake.refuse.set("diagnostics", new BackendError("The engine stopped.")));
    expect(document.querySelector("[role=alert]")?.textContent).toContain("The engine stopped.");
  });
});

it("settings that cannot be read say so, and are tried again", async () => {
  const w = await open("night", "#/settings/rules", (fake) =>
    fake.refuse.set("settings", new BackendError("The record is locked by another program.")),
  );
  expect(document.querySelector("[role=alert]")?.textContent).toContain("The record is locked");
  w.backend.refuse.clear();
  w.button("Try again").click();
  await settle();
  expect(w.text()).toContain("10 rules, all on");
});

it("its parts are walked with J and K, and left with Esc", async () => {
  const w = await open("night", "#/settings/notifications");
  await w.press("j");
  await w.press("j");
  expect(location.hash).toBe("#/settings/watching");
  await w.press("k");
  expect(location.hash).toBe("#/settings/rules");
  await w.press("Escape");
  expect(location.hash).toMatch(/^#\/incidents/);
});

it.each(["models", "notifications", "rules", "watching", "recording", "privacy", "appearance"])(
  "has sound structure: %s",
  async (section) => {
    await open("night", `#/settings/${section}`);
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join("\n")}`)).toEqual([]);
  },
);
