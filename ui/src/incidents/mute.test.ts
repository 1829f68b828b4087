import { expect, it } from "vitest";
import { asLocal, ends, minutesUntil } from "./mute";

const at = (text: string) => new Date(text).getTime();
const named = (now: string) => Object.fromEntries(ends(at(now)).map((e) => [e.id, asLocal(e.at)]));

it("a silence may end in the morning that is meant, and on the next Monday", () => {
  // A Thursday, in the night and by day.
  expect(named("2026-11-12T03:10")).toEqual({
    "1h": "2026-11-12T04:10",
    "4h": "2026-11-12T07:10",
    morning: "2026-11-12T09:00",
    monday: "2026-11-16T09:00",
  });
  expect(named("2026-11-12T15:00")["morning"]).toBe("2026-11-13T09:00");
  expect(named("2026-11-16T08:00")["monday"]).toBe("2026-11-23T09:00");
  expect(named("2026-11-15T22:00")["monday"]).toBe("2026-11-16T09:00");
});

it("a silence lasts a minute at least", () => {
  expect(minutesUntil(at("2026-11-12T04:10"), at("2026-11-12T03:10"))).toBe(60);
  expect(minutesUntil(at("2026-11-12T03:00"), at("2026-11-12T03:10"))).toBe(1);
});
