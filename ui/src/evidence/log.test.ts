import { describe, expect, it } from "vitest";
import { histogram, level, linesOf, read, reading, stamp, template } from "./log";

describe("a line of a log", () => {
  it.each([
    ["2026-11-12T01:56:10.884Z INFO started", Date.parse("2026-11-12T01:56:10.884Z"), true],
    ["2026-11-12 01:56:10,884 [main] INFO started", Date.parse("2026-11-12T01:56:10.884Z"), true],
    ["[2026-11-12T02:56:10+01:00] started", Date.parse("2026-11-12T01:56:10Z"), true],
    ['{"level":"info","ts":1762912570,"msg":"x"}', 1762912570000, true],
    ['{"time":"2026-11-12T01:56:10Z","msg":"x"}', Date.parse("2026-11-12T01:56:10Z"), true],
    ["I1112 01:56:10.884567       1 main.go:12] started", 6_970_884, false],
    ["02:56:10.884 INFO started", 10_570_884, false],
  ])("says when it was written: %s", (line, at, dated) => expect(stamp(line)).toEqual({ at, dated }));

  it("says nothing of when where it has no time", () => {
    for (const line of ["    at com.shop.Main(Main.java:12)", "took 12:30 minutes", ""]) expect(stamp(line)).toBeNull();
  });

  it.each([
    ["02:56:11 WARN heap", "warning"],
    ["W1112 01:56:10.1 1 x.go:1] slow", "warning"],
    ["E1112 01:56:10.1 1 x.go:1] failed", "error"],
    ['{"level":"error","msg":"x"}', "error"],
    ["time=x level=warning msg=y", "warning"],
    ["panic: runtime error: index out of range", "error"],
    ["java.lang.IllegalStateException: no config", "error"],
    ["INFO error rate is 0", null],
    ["GET /warnings 200", null],
  ])("has a level: %s", (line, is) => expect(level(line)).toBe(is));

  it("is like another one that differs in time, numbers, ids and quoted words only", () => {
    expect(template('02:56:10.884 INFO c.Access POST /v1 200 in 61 ms "a"')).toBe("c.Access POST /v* * in * ms *");
    expect(template('{"level":"info","msg":"took 12 ms","ts":1}')).toBe("took * ms");
    expect(template("2026-11-12T01:56:10Z ERROR pod 6f1c8a52-0d0e-4b7e-9c1d-0123456789ab gone")).toBe("pod * gone");
  });
});

describe("a log", () => {
  const text = [
    "02:00:00.100 INFO ready",
    "02:00:00.200 INFO GET /a in 3 ms",
    "02:00:01.000 INFO GET /a in 9 ms",
    "02:00:03.000 WARN heap 171 of 384",
    "02:00:03.500 ERROR out of memory",
    "    at Heap.grow",
    "",
  ].join("\n");

  it("is grouped, the gravest first and of equals the rarer", () => {
    expect(read(text).templates.map((t) => [t.text, t.count, t.level, t.first, t.last])).toEqual([
      ["out of memory", 1, "error", 4, 4],
      ["heap * of *", 1, "warning", 3, 3],
      ["ready", 1, null, 0, 0],
      ["at Heap.grow", 1, null, 5, 5],
      ["GET /a in * ms", 2, null, 1, 2],
    ]);
  });

  it("puts first what no run before has said", () => {
    const before = new Set(["out of memory", "heap * of *", "GET /a in * ms", "at Heap.grow"]);
    const [first, second] = read(text, before).templates;
    expect([first?.text, first?.fresh, second?.text, second?.fresh]).toEqual(["ready", true, "out of memory", false]);
    expect(read(text).templates.every((t) => t.fresh === null)).toBe(true);
  });

  it("has a bar per second, and what has no time belongs to the line before", () => {
    const drawn = histogram(read(text));
    expect(drawn?.step).toBe(1);
    expect(drawn?.bars.map((b) => [b.count, b.warnings, b.errors])).toEqual([
      [2, 0, 0],
      [1, 0, 0],
      [0, 0, 0],
      [3, 1, 1],
    ]);
    expect(drawn?.most).toBe(3);
  });

  it("has at most sixty bars, in which every line is counted", () => {
    const long = Array.from(
      { length: 1000 },
      (_, i) => `2026-11-12T01:${String(Math.floor(i / 60)).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}Z x`,
    );
    const drawn = histogram(read(long.join("\n")));
    expect(drawn?.step).toBe(17);
    expect(drawn?.bars).toHaveLength(59);
    expect(drawn?.bars.reduce((sum, b) => sum + b.count, 0)).toBe(1000);
  });

  it("has no histogram without times, or within one second", () => {
    expect(histogram(read("a\nb"))).toBeNull();
    expect(histogram(read("02:00:00.1 a\n02:00:00.9 b"))).toBeNull();
  });

  it("is read in stretches that tell how far they are", () => {
    const steps = reading("x 1\n".repeat(9000), null);
    expect([steps.next().value, steps.next().value]).toEqual([4000, 8000]);
    const last = steps.next();
    expect(last.done && last.value.templates).toEqual([
      { text: "x *", count: 9000, level: null, first: 0, last: 8999, fresh: null },
    ]);
  });

  it("may be empty", () => {
    expect(linesOf("")).toEqual([]);
    expect(read("").templates).toEqual([]);
  });
});
