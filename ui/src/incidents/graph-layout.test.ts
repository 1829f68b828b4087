import { expect, it } from "vitest";
import { graphs } from "../ipc/story/graphs";
import type { GraphDto } from "../ipc/types";
import { BOX_HEIGHT, layersOf, layout, next, PITCH, TOP, type Drawing } from "./graph-layout";

/** Nodes by role, and edges as `0>1` with their relation. */
function graph(roles: string[], edges: string[]): GraphDto {
  return {
    at: "2026-11-12T03:00:00Z",
    left_out: 0,
    nodes: roles.map((role, i) => ({
      object: { api_version: "v1", kind: "Thing", namespace: "shop", name: `n${i}`, uid: null },
      owner: null,
      role,
      label: `Thing n${i}`,
      state: "",
      count: 1,
      ill: false,
      missing: false,
    })),
    edges: edges.map((e) => {
      const [between = "", relation = "owns"] = e.split(" ");
      const [from = 0, to = 0] = between.split(">").map(Number);
      return { from, to, relation, word: relation.replaceAll("_", " "), sentence: e, broken: false };
    }),
  };
}

function drawn(of: GraphDto, width = 808): Drawing {
  const drawing = layout(of, width);
  if (!drawing) throw new Error("it does not fit");
  return drawing;
}
const story = (number: number): GraphDto => {
  const found = graphs.get(number);
  if (!found) throw new Error("no such story");
  return found;
};

it("puts each object to the right of what leads to it, and what nothing leads to right before its target", () => {
  // Ingress → Service → workload → pods; an autoscaler of the workload; a host named back would be a circle.
  const all = graph(
    ["beside", "symptom", "cause", "symptom", "beside"],
    ["0>1 sends_to", "1>2 selects", "2>3", "4>2 scales", "3>1 names_host"],
  );
  expect(layersOf(all)).toEqual([0, 1, 2, 3, 1]);
  // A route is told as attached to its gateway, and traffic comes from there.
  expect(layersOf(graph(["beside", "cause"], ["0>1 attaches_to"]))).toEqual([1, 0]);
  expect(layersOf(graph(["cause", "beside"], []))).toEqual([0, 0]);
});

it("gives the way of the fault one row, and what stands beside the rows below", () => {
  const { boxes, height } = drawn(story(47));
  const at = (node: number) => [boxes[node]?.layer, boxes[node]?.row];
  expect([2, 0, 1].map(at)).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
  ]);
  expect([5, 6, 7].map(at)).toEqual([
    [3, 1],
    [3, 2],
    [3, 3],
  ]);
  expect(height).toBe(TOP + 3 * PITCH + BOX_HEIGHT + 1);
});

it("never lets two boxes lie on each other or leave the width, whatever the width", () => {
  for (const [, of] of graphs) {
    for (const width of [560, 700, 808, 860, 1200]) {
      const { boxes, boxWidth, width: used } = drawn(of, width);
      expect(used).toBeLessThanOrEqual(width);
      for (const a of boxes) {
        expect(a.x).toBeGreaterThanOrEqual(0);
        expect(a.x + boxWidth).toBeLessThanOrEqual(used + 0.01);
        for (const b of boxes) {
          const apart = Math.abs(a.x - b.x) >= boxWidth || Math.abs(a.y - b.y) >= BOX_HEIGHT;
          expect(a === b || apart).toBe(true);
        }
      }
    }
  }
});

it("gives way to the text where there is no room", () => {
  expect(layout(story(47), 425)).toBeNull();
  expect(layout(graph([], []), 800)).toBeNull();
  expect(layout(graph(["cause"], []), 90)).toBeNull();
  expect(drawn(graph(["cause"], []), 96).boxWidth).toBe(96);
});

it("draws lines from box to box, and around a box that stands between", () => {
  const { boxes, lines, boxWidth } = drawn(graph(["cause", "beside", "beside"], ["0>1", "1>2", "0>2 runs_on"]));
  for (const line of lines) {
    const [a, b] = [boxes[line.edge.from], boxes[line.edge.to]];
    expect(line.points[0]).toEqual([(a?.x ?? 0) + boxWidth, (a?.y ?? 0) + BOX_HEIGHT / 2]);
    expect(line.points.at(-1)).toEqual([b?.x, (b?.y ?? 0) + BOX_HEIGHT / 2]);
  }
  const over = lines.find((l) => l.edge.relation === "runs_on");
  expect(over?.points).toHaveLength(6);
  expect(Math.min(...(over?.points.map(([, y]) => y) ?? []))).toBeLessThan(TOP);
});

it("names a line once per source and only where the word has room", () => {
  const labels = drawn(story(47)).lines.flatMap((l) => (l.label ? [l.label.text] : []));
  expect(labels.filter((l) => l === "reads")).toHaveLength(1);
  expect(labels).toContain("owns");
  expect(drawn(story(47), 560).lines.filter((l) => l.label !== null)).toHaveLength(0);
});

it("never lays one word on another, and leaves the way of the fault its word", () => {
  const words = (of: GraphDto) => drawn(of).lines.flatMap((l) => (l.label ? [l.label.text] : []));
  const two = graph(["beside", "beside", "cause", "symptom"], ["0>2 selects", "1>2 scales", "2>3 owns"]);
  expect(words(two).filter((w) => w !== "owns")).toHaveLength(1);
  const way = graph(["symptom", "beside", "cause", "symptom"], ["0>2 selects", "1>2 scales", "2>3 owns"]);
  expect(words(way)).toContain("selects");
  expect(words(way)).not.toContain("scales");
});

it("thickens the way of the fault and what is broken, and nothing else", () => {
  const ways = drawn(story(47)).lines.filter((l) => l.way);
  expect(ways.map((l) => [l.edge.from, l.edge.to])).toEqual([
    [0, 1],
    [2, 0],
    [3, 2],
  ]);
  expect(drawn(story(45)).lines.find((l) => l.edge.broken)?.way).toBe(true);
});

it("leads along the edges by arrow keys, and to every box", () => {
  const of = story(47);
  const drawing = drawn(of);
  const go = (from: number, key: string) => next(drawing, of, from, key);
  expect(go(0, "ArrowRight")).toBe(1);
  expect(go(0, "ArrowLeft")).toBe(2);
  expect(go(1, "ArrowDown")).toBe(5);
  expect(go(5, "ArrowUp")).toBe(1);
  expect(go(5, "ArrowLeft")).toBe(0);
  expect(go(1, "ArrowUp")).toBe(1);
  expect([go(3, "Home"), go(3, "End"), go(3, "x")]).toEqual([0, 8, 3]);
  for (const [, any] of graphs) {
    const d = drawn(any);
    const seen = new Set([0]);
    const queue = [0];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      for (const key of ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"]) {
        const to = next(d, any, at, key);
        if (!seen.has(to)) queue.push(to);
        seen.add(to);
      }
    }
    expect(seen.size).toBe(any.nodes.length);
  }
});
