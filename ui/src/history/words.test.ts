import { describe, expect, it } from "vitest";
import type { HistoryPage, MetricPlot } from "../ipc/types";
import { counted, nothing, rough, trend, well } from "./words";

const plot = (more: Partial<MetricPlot> = {}): MetricPlot => ({
  metric: "resolve",
  definition: "",
  dots: [],
  medians: [],
  median_s: null,
  unknown: 0,
  pending: 0,
  ...more,
});

describe("times to compare by", () => {
  it.each([
    [0.3, "under 1 s"],
    [6, "6 s"],
    [60, "1 m"],
    [252, "4 m 12 s"],
    [300, "5 m"],
    [2040, "34 m"],
    [10_800, "3 h"],
    [7800, "2 h 10 m"],
    [86_400, "1 day"],
    [7_000_000, "81 days"],
  ])("%d s read %s", (seconds, words) => expect(rough(seconds)).toBe(words));

  it("counts in hours what stayed well for less than two days", () => {
    expect([22_200, 100_000, 200_000].map(well)).toEqual(["6 h 10 m", "27 h", "2 days"]);
  });
});

describe("a plot in words", () => {
  it("counts what has a number, what is a range, and what is unknown as unknown", () => {
    const dot = (seconds: number | null) => ({ id: "", number: 1, at: "2026-11-12T00:00:00Z", seconds, range_s: null });
    expect(
      counted(plot({ dots: [dot(1), dot(2), dot(3), dot(null)], median_s: 2040, unknown: 2, pending: 1200 })),
    ).toBe(
      "Median 34 m of 3 incidents; 1 only as a range; 2 unknown, an end lies in a gap; 1\u202f200 not, or not yet.",
    );
  });
  it("has no median under three incidents", () => {
    const dots = [{ id: "", number: 1, at: "2026-11-12T00:00:00Z", seconds: 3, range_s: null }];
    expect(counted(plot({ dots }))).toBe("1 incident with a number: under 3 there is no median.");
    expect(trend(plot({ dots }))).toBe("no median");
  });
  it("compares the first quarter with the last", () => {
    const of = (seconds: number) => ({ from: "2026-07-01T00:00:00Z", to: "2026-10-01T00:00:00Z", seconds, of: 3 });
    expect(trend(plot({ medians: [of(2040), of(9), of(1740)], median_s: 1800 }))).toBe("34 m → 29 m");
    expect(trend(plot({ medians: [of(2040)], median_s: 1800 }))).toBe("30 m");
  });
});

it("says what was searched when nothing was found", () => {
  const page: HistoryPage = { incidents: [], total: 0, of: 47, recorded_since: "2026-03-03T08:00:00Z", clusters: [] };
  const now = Date.parse("2026-11-12T02:00:00Z");
  expect(nothing(page, "kafka ", now)).toBe(
    "No incident mentions “kafka”. Searched 47 incidents; before 3 Mar nothing was recorded.",
  );
  expect(nothing({ ...page, recorded_since: null }, "", now)).toBe(
    "No incident matches these filters. Searched 47 incidents.",
  );
});
