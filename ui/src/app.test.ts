import axe from "axe-core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { INC_47, INC_46 } from "./ipc/story/ids";
import { BackendError } from "./ipc/api";
import { openWindow as open, settle } from "./testing/window";

afterEach(() => vi.useRealTimers());

describe("the inbox", () => {
  it("shows what is open, worst first, with the incident beside it", async () => {
    const w = await open();
    const rows = [...document.querySelectorAll("[role=option]")].map((r) => r.textContent);
    expect(rows[0]).toContain("checkout has no ready pods");
    expect(document.querySelector("[aria-selected=true][role=option]")?.id).toBe(`row-${INC_47}`);
    expect(w.text()).toContain("Established: 5 signs for, 0 against, 1 could not be checked");
  });

  it("is walked with J and K, opened with Enter, and given the focus back by Esc", async () => {
    const w = await open();
    await w.press("j");
    expect(document.activeElement?.id).toBe(`row-${INC_46}`);
    await w.press("k");
    await w.press("Enter");
    expect(location.hash).toBe(`#/incident/${INC_47}/overview`);
    expect(document.activeElement?.id).toBe("incident-title");
    await w.press("Escape");
    expect(document.activeElement?.id).toBe(`row-${INC_47}`);
  });

  it("follows the record: a change shows without a reload, and a missed one makes it list again", async () => {
    const w = await open();
    w.backend.change(INC_47, () => ({ title: "checkout is ready in 1 of 3 pods" }));
    await settle();
    expect(w.text()).toContain("checkout is ready in 1 of 3 pods");

    const list = vi.spyOn(w.backend, "inbox");
    w.backend.incidents = w.backend.incidents.map((i) =>
      i.id === INC_46 ? { ...i, title: "told of by no change" } : i,
    );
    w.backend.revision += 5;
    w.backend.change(INC_47, () => ({ state: "acknowledged" }));
    await settle();
    expect(list).toHaveBeenCalledOnce();
    w.backend.emit({ type: "incidents" });
    await settle();
    expect(list).toHaveBeenCalledTimes(2);
    expect(w.text()).toContain("told of by no change");
  });

  it("keeps what is being read when a worse incident arrives, and A is for what is read", async () => {
    const w = await open();
    await w.look();
    const worse = await w.opens(48);
    expect(document.querySelector("[role=option]")?.id).toBe(`row-${worse}`);
    expect(document.querySelector("#incident-title")?.textContent).toContain("checkout has no ready pods");
    await w.press("a");
    const state = (id: string) => w.backend.incidents.find((i) => i.id === id)?.state;
    expect([state(worse), state(INC_47)]).toEqual(["open", "acknowledged"]);
    await w.press("a");
    expect([state(worse), state(INC_46)]).toEqual(["open", "acknowledged"]);
    expect(document.querySelector("[aria-selected=true][role=option]")?.id).toBe(`row-${INC_47}`);
  });

  it("takes no A for what came on screen by itself a moment ago, but for what the person went to", async () => {
    const w = await open();
    const state = (id: string) => w.backend.incidents.find((i) => i.id === id)?.state;
    await w.look();
    const other = await w.opens(48);
    w.backend.emit({ type: "open_incident", id: other });
    await settle();
    await w.press("a");
    expect(state(other)).toBe("open");
    expect(w.text()).toContain("INC-48 has only just come on screen. Press A again");
    await w.look();
    await w.press("a");
    expect(state(other)).toBe("acknowledged");
    await w.press("Escape");
    const third = await w.opens(49);
    await w.press("k");
    await w.press("k");
    await w.press("k");
    expect(location.hash).toBe(`#/incidents/${third}`);
    await w.press("a");
    expect(state(third)).toBe("acknowledged");
  });

  it("says of incidents of a cluster that is not live as of when they are", async () => {
    const w = await open("night", `#/incident/${INC_47}/overview`);
    const row = w.backend.page.clusters.find((c) => c.name === "prod-eu");
    if (!row) throw new Error("no prod-eu");
    for (const [change, words] of [
      [{ state: "login_needed" }, "prod-eu needs a sign-in, shown as of 03:09:1"],
      [{ state: "misconfigured" }, "prod-eu cannot be used, shown as of 03:09:1"],
      [{ state: "paused" }, "prod-eu is paused, shown as of 03:09:1"],
      [{ state: "idle", watched: false, last_heard: null }, "prod-eu is not watched, shown from the record"],
    ] as const) {
      w.backend.emit({ type: "cluster", cluster: { ...row, ...change } });
      await settle();
      expect(w.text()).toContain(words);
    }
    w.backend.emit({ type: "cluster", cluster: { ...row, state: "following", followed: "kubectl afterwatch watch" } });
    await settle();
    expect(w.text()).not.toContain("shown as of");
    expect(document.querySelector("footer a")?.textContent).toMatch(/prod-eu\s+recorded by kubectl afterwatch watch$/);
    await w.press("Escape");
    w.backend.emit({ type: "cluster", cluster: { ...row, state: "misconfigured" } });
    await settle();
    expect(document.querySelector(`#row-${INC_47} .age`)?.textContent).toContain("as of 03:09");
  });

  it("names the incident another one turned out to be part of", async () => {
    const part = { state: "resolved", resolved_at: "2026-11-12T02:00:00Z", merged_into: INC_47 };
    const w = await open("night", `#/incident/${INC_46}/overview`, (fake) => {
      fake.incidents = fake.incidents.map((i) => (i.id === INC_46 ? { ...i, ...part } : i));
    });
    expect(document.querySelector("header .state")?.textContent).toContain("Part of INC-47");
    expect(w.button("INC-47").getAttribute("href")).toBe(`#/incident/${INC_47}/overview`);
    expect(() => w.button("Reopen")).toThrow();
    await w.press("Escape");
    expect(document.getElementById(`row-${INC_46}`)?.textContent).toContain("part of INC-47");
  });

  it("narrows by what is typed after /", async () => {
    const w = await open();
    await w.press("/");
    const field = document.querySelector<HTMLInputElement>("input[type=search]");
    expect(document.activeElement).toBe(field);
    if (field) await w.type(field, "thumbnail");
    expect(document.querySelectorAll("[role=option]")).toHaveLength(1);
    await w.press("Escape");
    expect(document.querySelectorAll("[role=option]").length).toBeGreaterThan(1);
  });

  it("says since when all is calm", async () => {
    const w = await open("calm");
    expect(w.text()).toContain("Nothing is open. 2 clusters watched, without a gap since 03:06:38. 1 out of sight.");
  });

  it("says what is wrong when the record cannot be read", async () => {
    const w = await open("broken");
    expect(document.querySelector("[role=alert]")?.textContent).toContain("the database is damaged");
    w.backend.refuse.clear();
    w.button("Try again").click();
    await settle();
    expect(w.text()).toContain("checkout has no ready pods");
  });

  it("shows one page with the reason when the record cannot be opened at all", async () => {
    const w = await open("night", "", (fake) => {
      fake.problem = { code: "newer", message: "This record was written by a newer Afterwatch." };
    });
    expect(w.text()).toContain("The record cannot be opened.");
    expect(w.text()).toContain("written by a newer Afterwatch");
  });
});

describe("an incident", () => {
  const at = (tab: string) => `#/incident/${INC_47}/${tab}`;

  it("has its parts on 1 to 4", async () => {
    const w = await open("night", at("overview"));
    for (const [key, tab] of [
      ["2", "timeline"],
      ["3", "evidence"],
      ["4", "postmortem"],
      ["1", "overview"],
    ] as const) {
      await w.press(key);
      expect(location.hash).toBe(at(tab));
      expect(document.querySelector("[role=tab][aria-selected=true]")?.id).toBe(`tab-${tab}`);
    }
  });

  it("is acknowledged with A, and shows who and when", async () => {
    const w = await open("night", at("overview"));
    await w.look();
    await w.press("a");
    expect(w.text()).toContain("Acknowledged by you, 03:09:1");
    expect(w.text()).toContain("INC-47 acknowledged.");
    expect(() => w.button("Acknowledge")).toThrow();
  });

  it("keeps a refusal in sight, in the program's words", async () => {
    const w = await open("night", at("overview"), (fake) =>
      fake.refuse.set("acknowledge", new BackendError("The disk is full.", "disk_full")),
    );
    await w.look();
    await w.press("a");
    expect(document.querySelector(".toast")?.textContent).toContain("The disk is full.");
    expect(w.text()).toContain("Acknowledge");
  });

  it("takes an entry with N, and does not lose it when it is refused", async () => {
    const w = await open("night", at("timeline"));
    await w.press("n");
    const field = document.querySelector<HTMLTextAreaElement>("dialog textarea");
    if (!field) throw new Error("no field");
    w.backend.refuse.set("addEntry", new BackendError("The disk is full."));
    await w.type(field, "Called the owner of the chart");
    document.querySelector("form")?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
    await settle();
    expect(field.isConnected && field.value).toBe("Called the owner of the chart");
    w.backend.refuse.clear();
    document.querySelector("form")?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
    await settle();
    expect(document.querySelector("dialog")).toBeNull();
    expect(document.querySelector("ol")?.textContent).toContain("Called the owner of the chart");
  });

  it("saves notes as they are typed, and on leaving the page before the typing rests", async () => {
    const w = await open("night", at("overview"));
    await w.press("e");
    const notes = document.querySelector<HTMLTextAreaElement>("[data-notes]");
    if (!notes) throw new Error("no notes");
    expect(document.activeElement).toBe(notes);
    await w.type(notes, "Heap flag is above the limit");
    expect(w.backend.notes.get(INC_47)).toBeUndefined();
    await w.press("Escape");
    await w.press("2");
    expect(w.backend.notes.get(INC_47)?.text).toBe("Heap flag is above the limit");
    await w.press("1");
    expect(document.querySelector<HTMLTextAreaElement>("[data-notes]")?.value).toBe("Heap flag is above the limit");
    expect(w.text()).toContain("Saved 03:09:1");
  });

  it("says that notes could not be saved, and keeps them", async () => {
    const w = await open("night", at("overview"), (fake) =>
      fake.refuse.set("saveNotes", new BackendError("The disk is full.")),
    );
    const notes = document.querySelector<HTMLTextAreaElement>("[data-notes]");
    if (!notes) throw new Error("no notes");
    await w.type(notes, "do not lose this");
    notes.blur();
    await settle();
    expect(w.text()).toContain("Not saved: The disk is full. The text is kept here.");
    w.backend.refuse.clear();
    w.button("Try again").click();
    await settle();
    expect(w.backend.notes.get(INC_47)?.text).toBe("do not lose this");
  });

  it("leaves letters to what is being typed", async () => {
    const w = await open("night", at("overview"));
    document.querySelector<HTMLTextAreaElement>("[data-notes]")?.focus();
    await w.press("a");
    await w.press("2");
    expect(location.hash).toBe(at("overview"));
    expect(w.backend.incidents.find((i) => i.id === INC_47)?.state).toBe("open");
  });

  it("shows hostile text from the cluster as text", async () => {
    const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;
    const w = await open("night", `${at("evidence")}/E6`, (fake) => {
      fake.incidents = fake.incidents.map((i) => ({ ...i, title: `${hostile} ${i.title}` }));
    });
    expect(document.querySelector(".code")?.textContent).toContain("coupon=<img src=x onerror=alert(1)>");
    expect(document.querySelectorAll("img, script")).toHaveLength(0);
    expect(document.querySelector("h1")?.textContent).toContain(hostile);
    expect(w.text()).toContain("1 value removed");
  });

  it("cites an item in the notes", async () => {
    const w = await open("night", `${at("evidence")}/E6`);
    await w.press("c");
    expect(w.backend.notes.get(INC_47)?.text).toBe("[E6]");
  });

  it("does not say what to do next once it is over", async () => {
    const w = await open("night", at("overview"));
    expect(document.querySelector(".next")?.textContent).toContain("Roll back Deployment checkout");
    w.backend.change(INC_47, () => ({ state: "mitigated" }));
    await settle();
    expect(document.querySelector(".next")).toBeNull();
  });

  it("tells changes before it began from those after, and claims nothing of their reach", async () => {
    const w = await open("morning", at("overview"));
    const changes = document.querySelector("[aria-label='Cause and changes']")?.textContent ?? "";
    expect(changes).toContain("1 suspected, 1 more before it began, 1 after it began");
    expect(changes).not.toMatch(/in reach|elsewhere/i);
    w.backend.incidents = w.backend.incidents.map((i) => ({
      ...i,
      changes: i.changes.map((c) => ({ ...c, suspect: false })),
    }));
    w.backend.change(INC_47, () => ({ state: "open" }));
    await w.press("Escape");
    expect(document.querySelector("article")?.textContent).toContain("3 changes, none suspected.");
  });

  it("calls its times numbers only once all four are", async () => {
    const w = await open("night", at("timeline"));
    expect(w.text()).toContain("not yet");
    expect(w.text()).not.toContain("each is a number");
    await w.close();
    expect((await open("morning", at("timeline"))).text()).toContain("each is a number");
  });

  it("walks the timeline and the evidence by the arrows too", async () => {
    const w = await open("night", at("timeline"));
    await w.press("j");
    const first = document.activeElement?.id;
    expect(first).toMatch(/^entry-/);
    await w.press("ArrowDown");
    expect(document.activeElement?.id).toMatch(/^entry-/);
    expect(document.activeElement?.id).not.toBe(first);
    await w.press("3");
    await w.press("j");
    await w.press("ArrowDown");
    expect(document.activeElement?.id).toBe("item-E2");
  });

  it("edits the notes with E every time", async () => {
    const w = await open("night", at("overview"));
    for (let i = 0; i < 2; i++) {
      await w.press("e");
      expect(document.activeElement?.matches("[data-notes]")).toBe(true);
      await w.press("Escape");
      expect(document.activeElement?.matches("[data-notes]")).toBe(false);
    }
  });

  it("copies the line of the first step", async () => {
    const w = await open("night", at("overview"));
    w.button("Copy the command of step 1").click();
    await settle();
    expect(w.backend.copied).toEqual([
      "kubectl --context prod-eu -n shop rollout undo deployment/checkout --to-revision=30",
    ]);
  });

  it("survives a record with the same thing twice", async () => {
    const w = await open("night", at("overview"), (fake) => {
      fake.incidents = fake.incidents.map((i) => ({
        ...i,
        findings: [...i.findings, ...i.findings],
        ruled_out: [...i.ruled_out, ...i.ruled_out],
        timeline: [...i.timeline, ...i.timeline],
      }));
    });
    await w.press("2");
    expect(document.querySelectorAll("ol > li").length).toBeGreaterThan(30);
  });
});

describe("the post-mortem", () => {
  it("is saved as it is edited, and filled from the record again when asked", async () => {
    const w = await open("morning", `#/incident/${INC_47}/postmortem`);
    expect(w.text()).toContain("Filled from the record");
    await w.write("# Mine\n\nKilled [E5].");
    await w.press("s", { ctrlKey: true });
    expect(w.backend.papers.edited.get(INC_47)?.markdown).toBe("# Mine\n\nKilled [E5].");
    expect(w.text()).toContain("Edited by a person.");
    await w.choose("Rewrite", "Fill from the record again", 1);
    w.button("Replace it").click();
    await settle();
    expect(w.backend.papers.edited.has(INC_47)).toBe(false);
    expect(w.source().state.doc.toString()).toContain("17 m 48 s");
  });
});

describe("the clusters", () => {
  it("are chosen on the first run, each tick at once", async () => {
    const w = await open("first");
    expect(w.text()).toContain("Choose what to watch");
    const watch = vi.spyOn(w.backend, "watchCluster");
    document.querySelector<HTMLInputElement>("#watch-0")?.click();
    await settle();
    expect(watch).toHaveBeenCalledWith("prod-eu", true);
    expect(w.text()).toContain("Choose what to watch");
    w.button("Go to the incidents").click();
    await settle();
    expect(location.hash).toBe("#/incidents");
  });

  it("say where a kubeconfig was looked for", async () => {
    const w = await open("no-kubeconfig", "#/clusters");
    expect(w.text()).toContain("/home/mara/.kube/config: not found");
    expect(w.button("Look again")).toBeTruthy();
  });

  it("say what cannot be read and what that costs", async () => {
    const w = await open("night", "#/clusters/staging-eu");
    expect(w.text()).toContain("Nodes: not permitted. Faults of nodes cannot be ruled out.");
    w.button("Copy request for an admin").click();
    await settle();
    expect(w.backend.copied[0]).toContain("list, watch on nodes");
  });

  it("show a lost connection where it matters: in the page, the list and the watch bar", async () => {
    const w = await open("blind", `#/incident/${INC_47}/overview`);
    expect(w.text()).toContain("prod-eu is out of reach, shown as of 03:04:10.");
    expect(document.querySelector("footer")?.textContent).toContain("out of reach since 03:04");
  });
});

describe("the window", () => {
  it("opens the incident a notification asks for", async () => {
    const w = await open();
    w.backend.emit({ type: "open_incident", id: INC_46 });
    await settle();
    expect(document.querySelector("h1")?.textContent).toContain("thumbnail-gc");
  });

  it("shows a trouble of the program until it is over", async () => {
    const w = await open();
    w.backend.emit({ type: "trouble", text: "Recording stopped at 04:31: the disk is full." });
    await settle();
    expect(document.querySelector("[role=alert]")?.textContent).toContain("the disk is full");
    w.backend.emit({ type: "trouble", text: null });
    await settle();
    expect(document.querySelector("[role=alert]")).toBeNull();
  });

  it("closes a trouble that was read, and keeps a refusal from outside apart from it", async () => {
    const w = await open("night", "", (fake) => (fake.trouble = "Recording stopped at 04:31: the disk is full."));
    expect(document.querySelector("[role=alert]")?.textContent).toContain("the disk is full");
    w.backend.emit({ type: "notice", text: "There is no incident INC-99." });
    await settle();
    expect(document.querySelector(".toast")?.textContent).toContain("There is no incident INC-99.");
    expect(document.querySelector("[role=alert]")?.textContent).not.toContain("INC-99");
    w.button("Close").click();
    await settle();
    expect(document.querySelector("[role=alert]")).toBeNull();
  });

  it("hears that watching was paused or goes on elsewhere, and that the kubeconfig changed", async () => {
    const w = await open("night", "#/clusters");
    await w.backend.setPaused(true);
    await settle();
    expect(w.button("Resume watching")).toBeTruthy();
    expect(document.querySelector("footer")?.textContent).toContain("nothing is recorded");
    await w.backend.setPaused(false);
    await settle();
    expect(w.button("Pause watching")).toBeTruthy();
    const [like] = w.backend.page.clusters;
    if (!like) throw new Error("no cluster");
    w.backend.page = { ...w.backend.page, clusters: [...w.backend.page.clusters, { ...like, name: "new-one" }] };
    await w.backend.reloadEnvironment();
    await settle();
    expect(w.text()).toContain("new-one");
  });

  it("goes to places with G and to the sheet with ?", async () => {
    const w = await open();
    await w.press("g");
    await w.press("c");
    expect(location.hash).toBe("#/clusters");
    await w.press("?", { shiftKey: true });
    expect(document.querySelector("dialog")?.textContent).toContain("Keyboard");
  });

  // Contrast and layout need a real engine; the desktop tests run axe in the window itself.
  it.each([
    ["night", "#/incidents"],
    ["calm", "#/incidents"],
    ["broken", "#/incidents"],
    ["night", `#/incident/${INC_47}/overview`],
    ["night", `#/incident/${INC_47}/timeline`],
    ["night", `#/incident/${INC_47}/evidence/E6`],
    ["morning", `#/incident/${INC_47}/postmortem`],
    ["night", "#/clusters/prod-eu"],
    ["first", "#/clusters"],
  ] as const)("has sound structure: %s %s", async (scene, hash) => {
    await open(scene, hash);
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    });
    expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join("\n")}`)).toEqual([]);
  });
});
