import { afterEach, describe, expect, it } from "vitest";
import {
  age,
  ago,
  clock,
  count,
  ended,
  moment,
  number,
  offset,
  seconds,
  span,
  spokenAge,
  until,
  whole,
  zone,
} from "./format";
import { shown } from "./zone.svelte";

const now = Date.parse("2026-11-12T02:09:12Z");

afterEach(() => (shown.utc = false));

describe("times", () => {
  it("are shown in the laptop's zone", () => {
    expect(clock("2026-11-12T02:14:51Z")).toBe("03:14:51");
    expect(zone(now)).toBe("CET");
  });
  it("are shown in UTC where that was chosen", () => {
    shown.utc = true;
    expect([clock("2026-11-12T02:14:51Z"), zone(now), offset(now)]).toEqual(["02:14:51", "UTC", 0]);
    // 00:30 in Berlin is still the day before in UTC.
    expect(moment("2026-11-11T23:30:00Z", now)).toBe("11 Nov, 23:30:00");
    expect(whole("2026-11-11T23:30:00Z")).toMatch(/11.*23:30|23:30.*11|11:30/);
    shown.utc = false;
    expect(moment("2026-11-11T23:30:00Z", now)).toBe("00:30:00");
    expect(offset(now)).toBe(3_600_000);
  });
  it("carry the day when it is not today, and the year when it is not this one", () => {
    expect(moment("2026-11-12T01:56:12Z", now)).toBe("02:56:12");
    expect(moment("2026-11-10T17:02:11Z", now)).toBe("10 Nov, 18:02:11");
    expect(moment("2025-06-12T06:00:00Z", now)).toBe("12 Jun 2025, 08:00:00");
  });
  it("say when something ended as short as is clear", () => {
    expect(ended("2026-11-12T00:30:00Z", now)).toBe("01:30");
    expect(ended("2026-11-10T10:00:00Z", now)).toBe("Tue");
    expect(ended("2026-10-30T10:00:00Z", now)).toBe("30 Oct");
  });
});

describe("spans", () => {
  it.each([
    [0.4, "under 1 s"],
    [53, "53 s"],
    [1068, "17 m 48 s"],
    [1748, "29 m 08 s"],
    [7500, "2 h 05 m"],
    [273_600, "3 d 4 h"],
  ])("%d seconds read %s", (s, text) => expect(span(s)).toBe(text));
  it("have one unit in a narrow column and words for a screen reader", () => {
    expect(age(785)).toBe("13 m");
    expect(spokenAge(785)).toBe("13 minutes");
    expect(spokenAge(3700)).toBe("1 hour");
    expect(age(-5)).toBe("0 s");
  });
  it("are counted between two moments", () => {
    expect(seconds("2026-11-12T01:56:12Z", "2026-11-12T01:57:05Z")).toBe(53);
  });
});

describe("numbers", () => {
  it("group thousands and agree with their noun", () => {
    expect(number(2411)).toBe("2\u202f411");
    expect(number(640)).toBe("640");
    expect(count(1, "pod")).toBe("1 pod");
    expect(count(2411, "object")).toBe("2\u202f411 objects");
  });
});

it("names the day a mute ends when it is not today", () => {
  const now = Date.parse("2026-11-12T02:00:00Z");
  expect(until("2026-11-12T08:00:00Z", now)).toBe("09:00");
  expect(until("2026-11-14T08:00:00Z", now)).toBe("Sat 14 Nov, 09:00");
});

it("tells a moment whole, with its zone, and how long ago it was", () => {
  expect(whole("2026-11-12T02:00:00Z")).toMatch(/2026.*(CET|GMT\+1|MEZ)/);
  const now = Date.parse("2026-11-12T02:13:30Z");
  expect(ago("2026-11-12T02:00:00Z", now)).toBe("13 m ago");
  expect(ago("2026-11-12T04:13:30Z", now)).toBe("in 2 h");
});
