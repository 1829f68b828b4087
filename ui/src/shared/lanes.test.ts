import { describe, expect, it } from "vitest";
import { gapsOn, placed, share, showing, thinned, zoomed, type LaneMark } from "./lanes";

const axis = { from: 1_000_000, to: 1_100_000 };
const tick = (at: number, more: Partial<LaneMark> = {}): LaneMark => ({ at, form: "tick", ...more });

describe("the marks of a lane", () => {
  it("stand where their time is on the axis", () => {
    expect([1_000_000, 1_025_000, 1_100_000, 1_110_000].map((at) => share(at, axis))).toEqual([0, 0.25, 1, 1.1]);
  });

  it("are drawn one by one up to sixty in forty pixels, and as one bar with their count beyond", () => {
    const sixty = Array.from({ length: 60 }, (_, i) => tick(1_010_000 + i));
    expect(thinned(sixty, axis, 1000)).toEqual({ marks: sixty, crowds: [] });
    const more = [...sixty, tick(1_010_500), tick(1_090_000), tick(2_000_000)];
    expect(thinned(more, axis, 1000)).toEqual({
      marks: [tick(1_090_000)],
      crowds: [{ from: 1_010_000, to: 1_010_500, count: 61 }],
    });
  });

  it("have their words on the free side, or none", () => {
    const at = (marks: LaneMark[]) => placed(marks, axis, 1000).map((p) => [p.mark.label, p.anchor, p.dx]);
    expect(at([tick(1_050_000, { label: "trigger" })])).toEqual([["trigger", "start", 10]]);
    // At the right end there is room on the left only.
    expect(at([tick(1_099_000, { label: "trigger" })])).toEqual([["trigger", "end", -10]]);
    // Between two near neighbours there is none.
    expect(at([tick(1_048_000), tick(1_050_000, { label: "trigger" }), tick(1_052_000)])).toEqual([]);
  });
});

describe("the part of the axis in sight", () => {
  const whole = { from: 0, to: 1_000_000 };
  it("is halved around what is selected, which stays where it was", () => {
    const view = zoomed(whole, null, 250_000, 0.5);
    expect(view).toEqual({ from: 125_000, to: 625_000 });
    expect(share(250_000, view ?? whole)).toBe(0.25);
  });
  it("ends at the whole, and is never shorter than ten seconds", () => {
    expect(zoomed(whole, { from: 0, to: 600_000 }, 0, 2)).toBeNull();
    expect(zoomed(whole, { from: 0, to: 12_000 }, 6_000, 0.5)).toEqual({ from: 1_000, to: 11_000 });
    expect(zoomed({ from: 0, to: 8_000 }, null, 0, 0.5)).toBeNull();
  });
  it("follows what is selected, no further than the ends", () => {
    expect(showing(whole, { from: 0, to: 100_000 }, 500_000)).toEqual({ from: 410_000, to: 510_000 });
    expect(showing(whole, { from: 0, to: 100_000 }, 999_000)).toEqual({ from: 900_000, to: 1_000_000 });
    expect(showing(whole, { from: 0, to: 100_000 }, 50_000)).toEqual({ from: 0, to: 100_000 });
    expect(showing(whole, null, 50_000)).toBeNull();
  });
});

it("gaps are as wide as they are long, cut at the edges", () => {
  const gaps = [
    { from: 990_000, to: 1_010_000 },
    { from: 1_040_000, to: 1_060_000 },
    { from: 1_200_000, to: 1_300_000 },
  ];
  expect(gapsOn(gaps, axis)).toEqual([
    { from: 0, to: 0.1 },
    { from: 0.4, to: 0.6 },
  ]);
});
