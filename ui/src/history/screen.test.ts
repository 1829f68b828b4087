import axe from "axe-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../ipc/api";
import { openWindow, settle } from "../testing/window";

const open: typeof openWindow = (scene = "night", hash = "#/history", prepare) => openWindow(scene, hash, prepare);
afterEach(() => vi.useRealTimers());
const search = () => document.querySelector<HTMLInputElement>("input[type=search]") ?? expect.fail("no search field");
const rows = () => [...document.querySelectorAll("#past a")].map((a) => a.textContent?.replace(/\s+/g, " ").trim());

describe("the history", () => {
  it("lists past incidents by date, with how long each took or that it is not known", async () => {
    const w = await open();
    expect(w.text()).toContain("47 incidents");
    expect(rows()[0]).toContain("checkout has no ready pods");
    expect(rows().find((r) => r?.includes("INC-43"))).toContain("42 m");
    expect(rows().find((r) => r?.includes("INC-38"))).toContain("unknown");
    expect(rows().find((r) => r?.includes("INC-40"))).toMatch(/\d+ m to \d+ m/);
  });

  it("searches as one types, once the typing pauses, and says how many match", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const w = await open();
    const ask = vi.spyOn(w.backend, "history");
    await w.press("/");
    expect(document.activeElement).toBe(search());
    await w.type(search(), "check");
    await w.type(search(), "checkout");
    expect(ask).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(300);
    await settle();
    expect(ask).toHaveBeenCalledOnce();
    expect(ask.mock.lastCall?.[0]).toMatchObject({ search: "checkout", offset: 0, days: 365 });
    expect(w.text()).toContain("47 incidents, 4 match");
    expect(rows()).toHaveLength(4);
  });

  it("says what was searched when nothing is found, and leads back", async () => {
    const w = await open();
    w.backend.past = w.backend.past.slice(0, 40);
    await w.type(search(), "kafka");
    await new Promise((done) => setTimeout(done, 250));
    await settle();
    expect(w.text()).toContain(
      "No incident mentions “kafka”. Searched 47 incidents; before 3 Mar nothing was recorded.",
    );
    w.button("Show all incidents").click();
    await settle();
    expect(rows().length).toBeGreaterThan(10);
  });

  it("drops an answer that was overtaken", async () => {
    const w = await open();
    const real = w.backend.history.bind(w.backend);
    let late: (() => void) | undefined;
    vi.spyOn(w.backend, "history").mockImplementationOnce(async (query) => {
      await new Promise<void>((done) => (late = done));
      return real(query);
    });
    await w.type(search(), "thumbnail");
    await new Promise((done) => setTimeout(done, 250));
    await w.type(search(), "checkout");
    await new Promise((done) => setTimeout(done, 250));
    late?.();
    await settle();
    expect(rows()).toHaveLength(4);
    expect(rows().every((r) => r?.includes("checkout"))).toBe(true);
  });

  it("shows progress after a second, can be cancelled after five, and keeps what it had", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    const w = await open();
    w.backend.slow = 60_000;
    const before = rows();
    await w.type(search(), "checkout");
    await vi.advanceTimersByTimeAsync(800);
    expect(w.text()).not.toContain("Searching");
    await vi.advanceTimersByTimeAsync(1600);
    await settle();
    expect(w.text()).toMatch(/Searching, [12] s/);
    expect(() => w.button("Cancel")).toThrow();
    await vi.advanceTimersByTimeAsync(4000);
    await settle();
    w.button("Cancel").click();
    await settle();
    expect(w.text()).toContain("Stopped. What is shown was found before.");
    expect(rows()).toEqual(before);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(rows()).toEqual(before);
  });

  it("narrows by span, cluster and severity", async () => {
    const w = await open();
    const choose = async (name: string, option: string) => {
      const select = document.querySelector<HTMLSelectElement>(`select[aria-label="${name}"]`) ?? expect.fail(name);
      select.selectedIndex = [...select.options].findIndex((o) => o.textContent === option);
      select.dispatchEvent(new Event("change", { bubbles: true }));
      await settle();
    };
    const ask = vi.spyOn(w.backend, "history");
    await choose("Cluster", "staging-eu");
    await choose("Severity", "High");
    await choose("Time", "Last 30 days");
    expect(ask.mock.lastCall?.[0]).toMatchObject({ cluster: "staging-eu", severity: "high", days: 30, search: null });
    expect(rows().every((r) => r?.includes("staging-eu"))).toBe(true);
  });

  it("shows what comes back most, and another of it when it is chosen", async () => {
    const w = await open();
    const table = document.querySelector("table") ?? expect.fail("no table");
    const cells = [...table.querySelectorAll("tbody tr:first-child td")].map((td) => td.textContent?.trim());
    expect(cells[0]).toContain("CronJob thumbnail-gc");
    expect(cells.slice(1)).toEqual(["6", "00:00", "75 days"]);
    w.button("Show all").click();
    await settle();
    w.button("checkout has no ready pods").click();
    await settle();
    const plot = document.querySelector("svg[role=group]");
    expect(plot?.getAttribute("aria-label")).toContain("checkout has no ready pods");
    expect([...(plot?.querySelectorAll("a") ?? [])].map((a) => a.getAttribute("aria-label"))).toEqual([
      "INC-12, restarted, well for 6 h 10 m",
      expect.stringMatching(/^INC-13, limit 384Mi → 512Mi, well for 81 days, of which 14 days not recorded$/) as string,
      "INC-31, rolled back to 4.8.3, well for 71 days",
      "INC-47, not well yet",
    ]);
  });

  it("draws an incident that came back under its number as often as it came", async () => {
    await open("night", "#/history", (fake) => {
      const real = fake.historyInsights;
      fake.historyInsights = async (query) => {
        const told = await real(query);
        const [fault] = told.recurring;
        const twice = fault?.occurrences.map((o) => ({ ...o, id: "the-same", number: 46 })) ?? [];
        return { ...told, recurring: fault ? [{ ...fault, occurrences: twice }] : [] };
      };
    });
    const drawn = [...document.querySelectorAll("svg[role=group] a")].map((a) => a.textContent?.trim());
    expect(drawn).toHaveLength(6);
    expect(drawn.every((name) => name?.startsWith("INC-46"))).toBe(true);
  });

  it("shows the four times with their definitions, their medians and what is unknown", async () => {
    const w = await open();
    const plots = [...document.querySelectorAll(".times svg[role=img]")];
    expect(plots.map((p) => p.getAttribute("aria-label")?.split(".")[0])).toEqual([
      "Time to detect",
      "Time to acknowledge",
      "Time to mitigate",
      "Time to resolve (MTTR)",
    ]);
    const { plots: told } = await w.backend.historyInsights({
      search: null,
      cluster: null,
      severity: null,
      days: 365,
      offset: 0,
      limit: 1,
    });
    for (const [i, plot] of told.entries()) {
      const known = plot.dots.filter((dot) => dot.seconds !== null).length;
      const drawn = plots[i]?.querySelector("path.dots")?.getAttribute("d") ?? "";
      expect(drawn.match(/M/g)).toHaveLength(known);
      const ranges = plots[i]?.querySelector("path.range")?.getAttribute("d") ?? "";
      expect(ranges.match(/V/g) ?? []).toHaveLength(plot.dots.length - known);
      expect(plots[i]?.querySelectorAll("line.median")).toHaveLength(plot.medians.length);
      expect(w.text()).toContain(plot.definition);
    }
    expect(w.text()).toMatch(/4 unknown, an end lies in a gap/);
  });

  it("asks for more of a long list as it comes into sight", async () => {
    const w = await open("night", "#/history", (fake) => {
      fake.past = Array.from({ length: 10 }, () => fake.past)
        .flat()
        .map((row, i) => ({ ...row, incident: { ...row.incident, id: `row-${i}`, number: i } }));
    });
    expect(w.text()).toContain("407 incidents");
    expect(document.querySelectorAll("#past a").length).toBeLessThan(100);
  });

  it("says that it cannot be read, and tries again", async () => {
    const w = await open("night", "#/history", (fake) =>
      fake.refuse.set("history", new BackendError("The search index is damaged: it is being rebuilt.")),
    );
    expect(document.querySelector("[role=alert]")?.textContent).toContain("The search index is damaged");
    w.backend.refuse.clear();
    w.button("Try again").click();
    await settle();
    expect(rows().length).toBeGreaterThan(10);
  });

  it("that was not waited for can be asked for again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] });
    const w = await open("night", "#/history", (fake) => void (fake.slow = 60_000));
    await vi.advanceTimersByTimeAsync(6000);
    await settle();
    w.button("Cancel").click();
    await settle();
    expect(w.text()).toContain("The history was not read.");
    w.backend.slow = 0;
    w.button("Search again").click();
    await settle();
    expect(rows().length).toBeGreaterThan(10);
  });

  it("keeps the list when only the figures cannot be counted", async () => {
    await open("night", "#/history", (fake) => fake.refuse.set("historyInsights", new BackendError("too busy")));
    expect(rows().length).toBeGreaterThan(10);
    expect(document.querySelector("aside")?.textContent).toContain("The figures cannot be counted.");
  });

  it("has nothing to show before anything happened", async () => {
    const w = await open("first");
    expect(w.text()).toContain("No incident yet");
  });

  it("keeps what was looked for while an incident is read", async () => {
    const w = await open();
    await w.type(search(), "thumbnail");
    await new Promise((done) => setTimeout(done, 250));
    await settle();
    document.querySelector<HTMLElement>("#past a")?.click();
    location.hash = document.querySelector("#past a")?.getAttribute("href") ?? "";
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    expect(document.querySelector("#incident-title")).not.toBeNull();
    location.hash = "#/history";
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    await settle();
    expect(search().value).toBe("thumbnail");
    expect(w.text()).toMatch(/47 incidents, \d+ match/);
  });

  it("has sound structure", async () => {
    await open();
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map((v) => `${v.id}: ${v.nodes[0]?.html}`)).toEqual([]);
  });
});
