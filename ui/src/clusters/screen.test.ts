import { describe, expect, it } from "vitest";
import { BackendError } from "../ipc/api";
import { Fake } from "../ipc/fake";
import { openWindow as open, settle } from "../testing/window";

const lines = (selector: string) =>
  [...document.querySelectorAll(selector)].map((e) => e.textContent?.replace(/\s+/g, " ").trim() ?? "");

describe("a context", () => {
  it("is marked as production, which the list shows; a refusal leaves it as it was", async () => {
    const w = await open("night", "#/clusters/staging-eu");
    const mark = () =>
      document.querySelector<HTMLSelectElement>('select[aria-label="Mark of staging-eu"]') ?? expect.fail("no mark");
    expect([...mark().options].map((o) => o.textContent)).toEqual([
      "not marked",
      "marked production",
      "marked read-only",
    ]);
    expect(mark().selectedIndex).toBe(0);
    mark().selectedIndex = 2;
    mark().dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(w.backend.page.clusters.find((c) => c.name === "staging-eu")?.mark).toBe("read_only");
    expect(lines("nav li button")[1]).toContain("staging-eu read-only");
    w.backend.refuse.set("setClusterMark", new BackendError("the record cannot be written."));
    mark().selectedIndex = 0;
    mark().dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(mark().selectedIndex).toBe(2);
    expect(w.text()).toContain("the record cannot be written.");
  });

  it("says in the list how much of it is read, or since when nothing is", async () => {
    await open("night", "#/clusters/prod-eu");
    const [prod, , edge, pre] = lines("nav li button");
    expect(prod).toContain("14 kinds, whole cluster");
    expect(edge).toContain("not recorded since 11 Nov, 18:02");
    expect(pre).toContain("https://acme-pre.k8s.acme.example:6443");
  });

  it("has a row per family of kinds, with what may not be read and whom to ask", async () => {
    const w = await open("night", "#/clusters/prod-eu");
    expect(lines("tbody tr:nth-child(2) td")).toEqual([
      "Deployments, ReplicaSets",
      "whole cluster",
      "list, watch",
      expect.stringMatching(/^\d s$/) as string,
      "",
      "39 %",
    ]);
    expect(lines("tbody tr:last-child td")).toEqual([
      "ValidatingWebhookConfigurations",
      "whole cluster",
      "not permitted",
      "–",
      "",
      "0 %",
    ]);
    w.button("Copy request for an admin").click();
    await settle();
    expect(w.backend.copied[0]).toBe(
      "Read access for mara@acme in cluster prod-eu (https://10.20.0.10:6443):\n- list, watch on validatingwebhookconfigurations\n",
    );
  });

  it("that needs a sign-in says so in the program's own words, with what to do", async () => {
    const w = await open("night", "#/clusters/edge-lab");
    expect(w.text()).toContain("error: get-token: token expired");
    expect(w.text()).toContain("Run kubectl --context edge-lab get pods once in a terminal, then try again.");
    w.button("Try now").click();
    await settle();
    expect(w.backend.page.clusters.find((c) => c.name === "edge-lab")?.state).toBe("connecting");
  });
});

describe("the first run", () => {
  const tick = async (name: string) => {
    const row = [...document.querySelectorAll("li")].find((li) => li.textContent?.includes(name));
    row?.querySelector<HTMLInputElement>("input")?.click();
    await settle();
  };

  it("asks three things, each with a safe default", async () => {
    const w = await open("first");
    expect(location.hash).toBe("#/clusters");
    const ticks = [...document.querySelectorAll<HTMLInputElement>("input[type=checkbox]")].map((b) => b.checked);
    expect(ticks).toEqual([false, false, false, false, true, false]);
    expect(w.button("Go to the incidents").disabled).toBe(true);
  });

  it("takes each decision at once, and goes on as soon as one cluster is watched", async () => {
    const w = await open("first");
    await tick("prod-eu");
    await tick("Tell me about Critical and High at once");
    document.querySelectorAll<HTMLInputElement>("input[type=checkbox]")[4]?.click();
    document.querySelectorAll<HTMLInputElement>("input[type=checkbox]")[5]?.click();
    await settle();
    expect(w.backend.page.clusters.filter((c) => c.watched).map((c) => c.name)).toEqual(["prod-eu"]);
    expect(w.backend.prefs.page.notifications).toMatchObject({ critical: "window", high: "window", medium: "morning" });
    expect(w.backend.startsAtLogin).toBe(true);
    w.button("Go to the incidents").click();
    await settle();
    expect(location.hash).toMatch(/^#\/incidents/);
  });

  it("says in the row what may be read, or what to do", async () => {
    const w = await open("first");
    await tick("prod-eu");
    await tick("edge-lab");
    for (const cluster of (await new Fake("night").clusters()).clusters.slice(0, 3)) {
      w.backend.emit({ type: "cluster", cluster });
    }
    await settle();
    const rows = lines("li");
    expect(rows[0]).toContain("You may read 14 of 15 kinds, whole cluster");
    expect(rows[2]).toContain("Run kubectl --context edge-lab get pods once in a terminal");
    expect(rows[2]).toContain("Try again");
  });
});
