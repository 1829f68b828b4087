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

  it("may be none", () => {
    expect(of(0).window(0, 500, 5)).toEqual({ first: 0, last: 0, before: 0, after: 0 });
  });
});
