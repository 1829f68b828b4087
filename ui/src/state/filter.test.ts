import { describe, expect, it } from "vitest";
import { Fake } from "../ipc/fake";
import { active, choices, NONE, passes, toggled, type Filter } from "./filter";

const NOW = Date.parse("2026-11-12T02:09:12Z");
const rows = async () => (await new Fake().inbox(0)).incidents;
const shown = async (filter: Partial<Filter>) =>
  (await rows()).filter((i) => passes(i, { ...NONE, ...filter }, NOW)).map((i) => i.number);

describe("the filter of the inbox", () => {
  it("shows everything while nothing is asked for", async () => {
    expect(await shown({})).toEqual([47, 46, 45, 44, 43, 42, 41]);
    expect(await shown({ text: "   " })).toHaveLength(7);
  });

  it("takes any value of one facet, and needs all facets", async () => {
    expect(await shown({ severity: ["high", "low"] })).toEqual([45, 44, 42, 41]);
    expect(await shown({ severity: ["high", "low"], cluster: ["prod-eu"] })).toEqual([42]);
    expect(await shown({ severity: ["high"], cluster: ["prod-eu"], text: "worker-9" })).toEqual([]);
  });

  it("reads every word anywhere in the row, the cause included", async () => {
    expect(await shown({ text: "helm lowered" })).toEqual([47]);
    expect(await shown({ text: "INC-46" })).toEqual([46]);
    expect(await shown({ text: "media cronjob" })).toEqual([46]);
  });

  it("knows a muted incident by its mute, until that ends", async () => {
    expect(await shown({ state: ["silenced"] })).toEqual([45]);
    expect(await shown({ state: ["acknowledged"] })).toEqual([46]);
    const [muted] = (await rows()).filter((i) => i.number === 45);
    if (!muted) throw new Error("no INC-45");
    expect(passes(muted, { ...NONE, state: ["acknowledged"] }, Date.parse("2026-11-14T08:00:01Z"))).toBe(true);
  });

  it("offers what there is, worst first, with its number", async () => {
    expect(choices(await rows(), NONE, "severity", NOW).map((c) => [c.value, c.count])).toEqual([
      ["critical", 1],
      ["high", 2],
      ["medium", 2],
      ["low", 2],
    ]);
    expect(choices(await rows(), NONE, "namespace", NOW).map((c) => c.value)).not.toContain("");
  });

  it("keeps what is on in the list, and switches it off again", async () => {
    const on = toggled(NONE, "namespace", "gone");
    expect(active(on)).toEqual([{ facet: "namespace", value: "gone" }]);
    expect(choices(await rows(), on, "namespace", NOW).find((c) => c.on)).toEqual({
      facet: "namespace",
      value: "gone",
      count: 0,
      on: true,
    });
    expect(toggled(on, "namespace", "gone")).toEqual(NONE);
  });
});
