import { expect, it } from "vitest";
import { between, cut, merge, ticks } from "./spans";

it("touching spans are one", () => {
  const spans = [
    { from: 5, to: 9 },
    { from: 0, to: 5 },
    { from: 20, to: 30 },
  ];
  expect(merge(spans)).toEqual([
    { from: 0, to: 9 },
    { from: 20, to: 30 },
  ]);
  expect(merge(spans, 20)).toEqual([{ from: 0, to: 30 }]);
});

it("a gap lies between spans and after the last, never before the first", () => {
  expect(
    between(
      [
        { from: 10, to: 20 },
        { from: 30, to: 40 },
      ],
      50,
    ),
  ).toEqual([
    { from: 20, to: 30 },
    { from: 40, to: 50 },
  ]);
  expect(between([], 50)).toEqual([]);
});

it("a bar never runs solid through a gap", () => {
  expect(cut({ from: 0, to: 100 }, [{ from: 40, to: 60 }])).toEqual({
    seen: [
      { from: 0, to: 40 },
      { from: 60, to: 100 },
    ],
    unseen: [{ from: 40, to: 60 }],
  });
  expect(cut({ from: 50, to: 55 }, [{ from: 40, to: 60 }])).toEqual({ seen: [], unseen: [{ from: 50, to: 55 }] });
});

it("an axis has round moments", () => {
  const start = Date.parse("2026-11-12T01:51:30Z");
  const found = ticks(start, start + 20 * 60_000, 6).map((t) => new Date(t).toISOString().slice(11, 16));
  expect(found).toEqual(["01:55", "02:00", "02:05", "02:10"]);
});
