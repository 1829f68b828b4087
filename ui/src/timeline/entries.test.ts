import { describe, expect, it } from "vitest";
import { Fake } from "../ipc/fake";
import type { IncidentPage } from "../ipc/types";
import { countOf, entries, gapWords, passes, times } from "./entries";
import { picture } from "./lanes";

const night = (): Promise<IncidentPage> => new Fake().incidentPage("47");

describe("the rows of the timeline", () => {
  it("stand in the order of time, whatever the order of recording", async () => {
    const page = await night();
    const at = entries(page).map((r) => Date.parse(r.at));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  });

  it("say once what ledger and timeline both know as a gap", async () => {
    const page = await night();
    expect(entries(page).filter((r) => r.row === "gap")).toHaveLength(1);
    page.gaps.push({ from: "2026-11-12T00:12:08Z", to: "2026-11-12T00:19:44Z", cause: "Afterwatch was killed" });
    const gaps = entries(page).filter((r) => r.row === "gap");
    expect(gaps.map((g) => gapWords(g))).toEqual([
      "Not recorded 01:12:08–01:19:44, 7 m 36 s: Afterwatch was killed",
      "Not recorded 03:04:10–03:06:38, 2 m 28 s: API server out of reach",
    ]);
  });

  it("can be narrowed, and a gap stays where something may be missing", async () => {
    const rows = entries(await night());
    expect(rows.filter((r) => passes(r, "changes")).map((r) => r.row)).toContain("gap");
    expect(rows.filter((r) => passes(r, "people"))).toHaveLength(0);
    expect(countOf(rows, "reconstructed")).toBe(2);
    expect(countOf(rows, "all")).toBe(rows.length);
  });
});

describe("the times", () => {
  it("say what is not there yet", async () => {
    const { incident, gaps } = await night();
    expect(times(incident, gaps).map((t) => t.value)).toEqual(["53 s", "not yet", "not yet", "not yet"]);
  });
  it("are numbers once both ends were recorded", async () => {
    const { incident, gaps } = await new Fake("morning").incidentPage("47");
    expect(times(incident, gaps).map((t) => t.value)).toEqual(["53 s", "12 m 25 s", "18 m 39 s", "29 m 08 s"]);
  });
  it("name the gap that holds the end, not the first one, and no gap where none does", async () => {
    const { incident, gaps } = await night();
    gaps.unshift({ from: "2026-11-12T00:12:08Z", to: "2026-11-12T00:19:44Z", cause: "Afterwatch was killed" });
    incident.times.basis.to_resolve = "unknown";
    incident.resolved_at = "2026-11-12T02:05:00Z";
    incident.times.basis.to_detect = "unknown";
    expect(times(incident, gaps).map((t) => t.value)).toEqual([
      "unknown",
      "not yet",
      "not yet",
      "unknown, 03:04:10–03:06:38 not recorded",
    ]);
    incident.started_at = null;
    expect(times(incident, gaps)[0]?.value).toBe("unknown, the start was not recorded");
  });
  it("are unknown or a range where an end lies in a gap, never a number", async () => {
    const { incident, gaps } = await night();
    incident.times.basis.to_detect = "unknown";
    incident.detected_at = "2026-11-12T02:05:00Z";
    incident.times.basis.to_mitigate = "range";
    incident.times.to_mitigate_range_s = [300, 420];
    const [detect, , mitigate] = times(incident, gaps);
    expect(detect?.value).toBe("unknown, 03:04:10–03:06:38 not recorded");
    expect(mitigate?.value).toBe("5 m 00 s to 7 m 00 s");
  });
});

describe("the picture", () => {
  it("shows as a person's only what a person did", async () => {
    const page = await new Fake("morning").incidentPage("47");
    const you = picture(page, Date.parse("2026-11-12T08:20:00Z")).lanes.find((l) => l.name === "You");
    expect(you?.marks.map((m) => m.label)).toEqual(["acknowledged", undefined]);
  });
  it("has a sentence that says the same", async () => {
    const page = await night();
    expect(picture(page, Date.parse("2026-11-12T02:09:12Z")).label).toContain(
      "not recorded 03:04:10 to 03:06:38; the impact goes on",
    );
  });
});
