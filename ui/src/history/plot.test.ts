import { describe, expect, it } from "vitest";
import type { MetricPlot, OccurrenceDto, RecurrenceDto } from "../ipc/types";
import { before, calendar, draw, hatches, logAxis, recurrenceRows, window, x, y } from "./plot";

const DAY = 86_400_000;
const at = (date: string) => Date.parse(date);
const now = at("2026-11-12T02:00:00Z");
const ten = { from: 0, to: 1000 };

describe("the span of the plots", () => {
  it("is what was asked for, while there is a record of it", () => {
    expect(window(30, "2026-03-03T08:00:00Z", now)).toEqual({ from: now - 30 * DAY, to: now });
  });
  it("begins a little before the record does, so that the beginning is seen", () => {
    const began = now - 100 * DAY;
    expect(window(365, new Date(began).toISOString(), now).from).toBe(began - 12 * DAY);
    expect(window(null, new Date(now - DAY).toISOString(), now).from).toBe(now - 2 * DAY);
  });
  it("has its ends at 0 and 100 per cent, and nothing outside", () => {
    expect([-5, 0, 250, 1000, 2000].map((t) => x(t, ten))).toEqual([0, 0, 25, 100, 100]);
  });
  it("is hatched before anything was recorded", () => {
    expect(before("1970-01-01T00:00:00.250Z", ten)).toBe(25);
    expect(before("1969-12-01T00:00:00Z", ten)).toBe(0);
    expect(before(null, ten)).toBe(100);
  });
});

describe("the calendar of an axis", () => {
  it("shows months over a long span, and the year where one begins", () => {
    const marks = calendar({ from: at("2025-11-12T00:00:00Z"), to: at("2026-04-12T00:00:00Z") }, 12);
    expect(marks.map((m) => m.label)).toEqual(["Dec", "2026", "Feb", "Mar", "Apr"]);
    // 19 of 151 days, less the hour that Berlin is ahead of UTC.
    expect(marks[0]?.x).toBeCloseTo(((19 - 1 / 24) / 151) * 100, 6);
  });
  it("leaves months out rather than crowding them", () => {
    const marks = calendar({ from: at("2025-11-12T00:00:00Z"), to: at("2026-11-12T00:00:00Z") }, 4);
    expect(marks.map((m) => m.label)).toEqual(["2026", "Apr", "Jul", "Oct"]);
  });
  it("shows days over a short one", () => {
    const marks = calendar({ from: at("2026-11-02T00:00:00Z"), to: at("2026-11-12T00:00:00Z") }, 6);
    expect(marks.map((m) => m.label)).toEqual(["3 Nov", "5 Nov", "7 Nov", "9 Nov", "11 Nov"]);
  });
});

describe("the log axis", () => {
  it("goes from 2 m to 8 h with three lines", () => {
    expect(logAxis([])).toEqual({ least: 120, most: 28_800, lines: [300, 1800, 10_800] });
  });
  it("reaches as far as what is shown", () => {
    const axis = logAxis([6.5, 200_000]);
    expect(axis.least).toBeCloseTo(5);
    expect(axis.most).toBeCloseTo(260_000);
    expect(axis.lines).toEqual([10, 1800, 86_400]);
  });
  it("gives the same height to the same factor", () => {
    const axis = { least: 100, most: 10_000, lines: [] };
    expect([100, 1000, 10_000].map((s) => y(s, axis, 10, 70))).toEqual([70, 40, 10]);
    expect([1, 1e9].map((s) => y(s, axis, 10, 70))).toEqual([70, 10]);
  });
});

describe("a metric", () => {
  const dot = (date: string, seconds: number | null, range_s: [number, number] | null = null) => ({
    id: date,
    number: 1,
    at: date,
    seconds,
    range_s,
  });
  const plot: MetricPlot = {
    metric: "resolve",
    definition: "",
    dots: [
      dot("2026-10-13T02:00:00Z", 120),
      dot("2026-10-28T02:00:00Z", 28_800),
      dot("2026-11-12T02:00:00Z", null, [300, 10_800]),
      dot("2026-09-01T00:00:00Z", 60),
    ],
    medians: [
      { from: "2026-07-01T00:00:00Z", to: "2026-10-01T00:00:00Z", seconds: 60, of: 3 },
      { from: "2026-10-28T02:00:00Z", to: "2027-01-01T00:00:00Z", seconds: 1859, of: 3 },
    ],
    median_s: 120,
    unknown: 2,
    pending: 1,
  };
  const drawn = draw(plot, { from: now - 30 * DAY, to: now }, "2026-10-20T14:00:00Z", 0, 100);

  it("has a dot where each number is, in time and in length", () => {
    // The axis begins below the 2 m and ends above the 8 h by the room that a dot at its edge needs.
    const [least, most] = [120 / 1.3, 28_800 * 1.3];
    const share = (seconds: number) => 100 - (Math.log(seconds / least) / Math.log(most / least)) * 100;
    expect(drawn.dots).toEqual([
      { x: 0, y: expect.closeTo(share(120), 6) as number },
      { x: 50, y: expect.closeTo(share(28_800), 6) as number },
    ]);
  });
  it("draws a range as a bar between its ends, never as a number", () => {
    const scale = logAxis([120, 28_800, 300, 10_800, 1859]);
    expect(drawn.ranges).toEqual([{ x: 100, low: y(300, scale, 0, 100), high: y(10_800, scale, 0, 100) }]);
  });
  it("draws the median of a quarter as far as the quarter is shown, and none of one that is not", () => {
    expect(drawn.medians).toHaveLength(1);
    expect(drawn.medians[0]).toMatchObject({ from: 50, to: 100 });
  });
  it("is hatched up to where the record begins", () => expect(drawn.hatched).toBeCloseTo(25, 6));
});

describe("recurrence", () => {
  const time = (
    number: number,
    started_at: string,
    well_at: string | null,
    back_at: string | null,
    gaps: OccurrenceDto["gaps"] = [],
    recovered_by: string | null = null,
  ): OccurrenceDto => ({ id: String(number), number, started_at, well_at, recovered_by, back_at, gaps });
  const span = { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-11T00:00:00Z") };
  const gap = { from: "2026-11-04T00:00:00Z", to: "2026-11-05T00:00:00Z", cause: "Afterwatch was not running" };
  const fault: RecurrenceDto = {
    title: "checkout killed for memory",
    cluster: "prod-eu",
    namespace: "shop",
    subject_kind: "Deployment",
    subject_name: "checkout",
    occurrences: [
      time(1, "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z", "2026-11-07T00:00:00Z", [gap], "restarted"),
      time(2, "2026-11-07T00:00:00Z", "2026-11-09T00:00:00Z", null),
      time(3, "2026-11-10T00:00:00Z", null, null),
    ],
    longest_well_s: 345_600,
  };
  const [first, second, third] = recurrenceRows(fault, span);

  it("has a bar from when it was well until it came back, broken where nothing was recorded", () => {
    expect(first?.started).toBeCloseTo(10);
    expect(first?.seen).toEqual([
      { from: 20, to: 30 },
      { from: 40, to: 60 },
    ]);
    expect(first?.unseen).toEqual([{ from: 30, to: 40 }]);
    expect(first?.words).toBe("restarted, well for 4 days, of which 24 h not recorded");
  });
  it("draws the last one until now, and says that it goes on", () => {
    expect(second?.seen).toEqual([{ from: 80, to: 100 }]);
    expect(second?.words).toBe("well for 2 days so far");
  });
  it("has no bar for one that is not well yet", () => {
    expect(third).toMatchObject({ seen: [], unseen: [], end: 90, words: "not well yet" });
  });
  it("hatches every gap over all rows", () => expect(hatches(fault, span)).toEqual([{ from: 30, to: 40 }]));
});
