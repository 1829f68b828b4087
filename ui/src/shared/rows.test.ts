import { describe, expect, it } from "vitest";
import { Heights } from "./rows";

const keys = (n: number) => Array.from({ length: n }, (_, i) => `k${i}`);
function of(n: number, estimate = 20): Heights {
  const heights = new Heights(estimate);
  heights.keys = keys(n);
  return heights;
}

describe("the rows of a long list", () => {
  it("draw only what is in sight, and leave the room of the rest", () => {
    const w = of(10_000).window(100_000, 600, 5);
    expect(w).toEqual({ first: 4995, last: 5036, before: 99_900, after: 99_280 });
    expect(w.before + (w.last - w.first) * 20 + w.after).toBe(200_000);
  });

  it("take the height that was measured in place of the estimate", () => {
    const rows = of(100);
    expect(rows.measured(3, 50)).toBe(30);
    expect(rows.measured(3, 50)).toBe(0);
    expect(rows.top(4)).toBe(110);
    expect(rows.total).toBe(2030);
    expect(rows.at(109)).toBe(3);
    expect(rows.at(110)).toBe(4);
  });

  it("keep their heights when others are put before them", () => {
    const rows = of(3);
    rows.measured(0, 60);
    rows.keys = ["new", ...keys(3)];
    expect(rows.top(2)).toBe(80);
  });

  it("are scrolled no further than needed", () => {
    const rows = of(100);
    expect(rows.reveal(10, 150, 200)).toBe(150);
    expect(rows.reveal(2, 150, 200)).toBe(40);
    expect(rows.reveal(50, 150, 200)).toBe(820);
  });

  it("are not added up again for a row that is measured, nor for keys that are the same", () => {
    let read = 0;
    const long = new Proxy(keys(100_000), {
      get: (of, name) => (read++, Reflect.get(of, name) as unknown),
    });
    const rows = new Heights(20);
    rows.keys = long;
    expect(rows.total).toBe(2_000_000);
    read = 0;
    for (let i = 0; i < 50; i++) rows.measured(99_000 + i, 25);
    rows.keys = long;
    expect(rows.top(99_050)).toBe(1_981_250);
    expect(rows.at(1_981_249)).toBe(99_049);
    expect(rows.at(5_000_000)).toBe(99_999);
    expect(read).toBeLessThan(200);
  });

  it("stand where their heights put them, whatever was measured in which order", () => {
    const rows = of(1000);
    const heights = keys(1000).map((_, i) => 10 + ((i * 37) % 23));
    for (const i of heights.keys()) rows.measured((i * 389) % 1000, heights[(i * 389) % 1000] ?? 0);
    let top = 0;
    for (const [i, height] of heights.entries()) {
      expect(rows.top(i)).toBe(top);
      expect(rows.at(top)).toBe(i);
      expect(rows.at(top + height - 1)).toBe(i);
      top += height;
    }
    expect(rows.total).toBe(top);
  });

  it("may be none", () => {
    expect(of(0).window(0, 500, 5)).toEqual({ first: 0, last: 0, before: 0, after: 0 });
  });
});
