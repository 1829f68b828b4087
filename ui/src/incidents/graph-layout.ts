// Where the objects around a fault are drawn: layers from left to right, what stands on one line in one row. Lengths are
// sixteenths of a rem, so that a larger type is a smaller drawing.
import type { GraphDto, GraphEdgeDto } from "../ipc/types";

export const BOX_HEIGHT = 56;
export const PITCH = 70;
/** Room above the first row for the word over a box. */
export const TOP = 9;
const BOX_MIN = 96;
const BOX_MAX = 156;
const GAP_MIN = 20;
const GAP = 54;
const GAP_MAX = 84;
/** How far a line goes on before it turns, and from one source's turn to the next one's. */
const TURN = 8;
const APART = 4;
/** A sign of the smallest type is about so wide. */
const SIGN = 6;
/** A line of such a word. */
const WORD_HEIGHT = 14;

export interface Box {
  /** Its place in the graph. */
  node: number;
  layer: number;
  row: number;
  x: number;
  y: number;
}

export interface Line {
  edge: GraphEdgeDto;
  /** Corners from left to right. */
  points: [number, number][];
  /** Where it arrives, and whether it comes from the left. */
  tip: { x: number; y: number; right: boolean };
  label: { x: number; y: number; text: string } | null;
  /** It belongs to the way from the cause to what it breaks. */
  way: boolean;
}

export interface Drawing {
  boxes: Box[];
  lines: Line[];
  width: number;
  height: number;
  boxWidth: number;
}

/** What points to the right in the text and stands further left on the way traffic takes. */
const REVERSED = new Set(["attaches_to"]);

/** The drawing in this width, or null where there is no room for it: then the text says all. */
export function layout(graph: GraphDto, width: number): Drawing | null {
  const layers = layersOf(graph);
  const n = Math.max(...layers, 0) + 1;
  const free = (width - (n - 1) * GAP) / n;
  const boxWidth = Math.min(BOX_MAX, Math.max(BOX_MIN, free));
  const gap = n === 1 ? 0 : Math.min(GAP_MAX, (width - n * boxWidth) / (n - 1));
  if (graph.nodes.length === 0 || boxWidth > width || (n > 1 && gap < GAP_MIN)) return null;
  const rows = rowsOf(graph, layers);
  const boxes = graph.nodes.map((_, node): Box => {
    const [layer = 0, row = 0] = [layers[node], rows[node]];
    return { node, layer, row, x: layer * (boxWidth + gap), y: TOP + row * PITCH };
  });
  return {
    boxes,
    lines: linesOf(graph, boxes, boxWidth, gap),
    width: n * boxWidth + (n - 1) * gap,
    height: TOP + Math.max(...rows) * PITCH + BOX_HEIGHT + 1,
    boxWidth,
  };
}

/** Left and right end of an edge. */
function ends(edge: GraphEdgeDto): [number, number] {
  return REVERSED.has(edge.relation) ? [edge.to, edge.from] : [edge.from, edge.to];
}

/** How far to the right each node stands: one further than everything that leads to it. */
export function layersOf(graph: GraphDto): number[] {
  const n = graph.nodes.length;
  const after: number[][] = Array.from({ length: n }, () => []);
  for (const edge of graph.edges) {
    const [from, to] = ends(edge);
    after[from]?.push(to);
  }
  // What closes a circle does not count.
  const state = new Array<0 | 1 | 2>(n).fill(0);
  const kept: [number, number][] = [];
  const visit = (node: number) => {
    state[node] = 1;
    for (const next of after[node] ?? []) {
      if (state[next] === 1) continue;
      kept.push([node, next]);
      if (state[next] === 0) visit(next);
    }
    state[node] = 2;
  };
  for (let node = 0; node < n; node++) if (state[node] === 0) visit(node);
  const layers = new Array<number>(n).fill(0);
  for (let round = 0; round < n; round++) {
    for (const [from, to] of kept) layers[to] = Math.max(layers[to] ?? 0, (layers[from] ?? 0) + 1);
  }
  // What nothing leads to stands right before what it leads to.
  for (let node = 0; node < n; node++) {
    const next = kept.filter(([from]) => from === node).map(([, to]) => layers[to] ?? 0);
    if (!kept.some(([, to]) => to === node) && next.length > 0) layers[node] = Math.min(...next) - 1;
  }
  // Layers that are empty now close up.
  const used = [...new Set(layers)].sort((a, b) => a - b);
  return layers.map((layer) => used.indexOf(layer));
}

/** Rows: the layer of the first node first, then outwards, each as near as possible to what it is tied to. */
function rowsOf(graph: GraphDto, layers: number[]): number[] {
  const rows = new Array<number>(graph.nodes.length).fill(-1);
  const first = layers[0] ?? 0;
  const last = Math.max(...layers);
  const order = [first];
  for (let layer = first + 1; layer <= last; layer++) order.push(layer);
  for (let layer = first - 1; layer >= 0; layer--) order.push(layer);
  for (const layer of order) {
    const wanted = graph.nodes
      .map((node, i) => ({ node, i, at: wish(graph, rows, i) }))
      .filter(({ i }) => layers[i] === layer)
      // What shows the fault takes its row first, then what has a wish.
      .sort((a, b) => weight(a.node) - weight(b.node) || a.at - b.at || a.i - b.i);
    const taken = new Set<number>();
    for (const { i, at } of wanted) {
      let row = Number.isFinite(at) ? Math.floor(at) : 0;
      while (taken.has(row)) row++;
      taken.add(row);
      rows[i] = row;
    }
  }
  return rows;
}

function weight(node: GraphDto["nodes"][number]): number {
  return node.role === "beside" && node.owner === null ? 1 : 0;
}

/** The mean row of what a node is tied to, as far as that has a row. */
function wish(graph: GraphDto, rows: number[], node: number): number {
  const tied = graph.edges
    .filter((e) => e.from === node || e.to === node)
    .map((e) => rows[e.from === node ? e.to : e.from] ?? -1)
    .filter((row) => row >= 0);
  return tied.length > 0 ? tied.reduce((a, b) => a + b, 0) / tied.length : Infinity;
}

function linesOf(graph: GraphDto, boxes: Box[], boxWidth: number, gap: number): Line[] {
  const worded = new Set<string>();
  // Each source turns at a place of its own, so that two lines do not run into one.
  const turns = new Map<number, number>();
  const turning = new Map<number, number>();
  const turnOf = (box: Box) => {
    const known = turns.get(box.node);
    if (known !== undefined) return known;
    const nth = turning.get(box.layer) ?? 0;
    turning.set(box.layer, nth + 1);
    const turn = Math.min(TURN + nth * APART, gap - TURN);
    turns.set(box.node, turn);
    return turn;
  };
  const middle = (box: Box) => box.y + BOX_HEIGHT / 2;
  const lines: Line[] = [];
  for (const edge of graph.edges) {
    const [a, b] = ends(edge).map((i) => boxes[i]);
    if (!a || !b) continue;
    const [left, right] = a.layer <= b.layer ? [a, b] : [b, a];
    const [x1, y1, x2, y2] = [left.x + boxWidth, middle(left), right.x, middle(right)];
    const blocked = boxes.some((o) => o.row === right.row && o.layer > left.layer && o.layer < right.layer);
    const turn = x1 + turnOf(left);
    let points: [number, number][];
    if (blocked) {
      const channel = right.y - (PITCH - BOX_HEIGHT) / 2;
      points = [
        [x1, y1],
        [turn, y1],
        [turn, channel],
        [x2 - TURN, channel],
        [x2 - TURN, y2],
        [x2, y2],
      ];
    } else if (y1 === y2) {
      points = [
        [x1, y1],
        [x2, y2],
      ];
    } else {
      points = [
        [x1, y1],
        [turn, y1],
        [turn, y2],
        [x2, y2],
      ];
    }
    const forward = boxes[edge.to] === right;
    const key = `${edge.from} ${edge.word}`;
    const from = points[points.length - 2]?.[0] ?? x1;
    const room = x2 - from - 6;
    const fits = !worded.has(key) && edge.word.length * SIGN <= room && right.layer - left.layer === 1;
    if (fits) worded.add(key);
    const ill = (i: number) => graph.nodes[i] !== undefined && graph.nodes[i].role !== "beside";
    lines.push({
      edge,
      points,
      tip: forward ? { x: x2, y: y2, right: true } : { x: x1, y: y1, right: false },
      label: fits ? { x: (from + x2) / 2, y: y2 - 6, text: edge.word } : null,
      way: edge.broken || (ill(edge.from) && ill(edge.to)),
    });
  }
  // The way of the fault lies on top.
  lines.sort((a, b) => Number(a.way) - Number(b.way));
  keepApart(lines);
  return lines;
}

/** No word lies on another: the way of the fault has the first say. */
function keepApart(lines: Line[]): void {
  const kept: { x: number; y: number; text: string }[] = [];
  const half = (text: string) => (text.length * SIGN) / 2;
  for (const line of lines.toReversed()) {
    const { label } = line;
    if (!label) continue;
    const covers = (other: typeof label) =>
      Math.abs(other.y - label.y) < WORD_HEIGHT && Math.abs(other.x - label.x) < half(other.text) + half(label.text);
    if (kept.some(covers)) line.label = null;
    else kept.push(label);
  }
}

/** The node an arrow key leads to from this one: along an edge where there is one, else to what is nearest. */
export function next(drawing: Drawing, graph: GraphDto, at: number, key: string): number {
  const here = drawing.boxes[at];
  if (!here) return at;
  const nearest = (boxes: Box[]) =>
    boxes.sort(
      (a, b) =>
        Math.abs(a.layer - here.layer) - Math.abs(b.layer - here.layer) ||
        Math.abs(a.row - here.row) - Math.abs(b.row - here.row) ||
        a.node - b.node,
    )[0]?.node ?? at;
  const tied = (box: Box) =>
    graph.edges.some((e) => (e.from === at && e.to === box.node) || (e.to === at && e.from === box.node));
  const side = (is: (box: Box) => boolean) => {
    const there = drawing.boxes.filter(is);
    const along = there.filter(tied);
    return nearest(along.length > 0 ? along : there);
  };
  switch (key) {
    case "ArrowRight":
      return side((b) => b.layer > here.layer);
    case "ArrowLeft":
      return side((b) => b.layer < here.layer);
    case "ArrowUp":
      return nearest(drawing.boxes.filter((b) => b.layer === here.layer && b.row < here.row));
    case "ArrowDown":
      return nearest(drawing.boxes.filter((b) => b.layer === here.layer && b.row > here.row));
    case "Home":
      return 0;
    case "End":
      return drawing.boxes.length - 1;
    default:
      return at;
  }
}
