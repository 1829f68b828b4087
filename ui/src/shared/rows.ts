// Where the rows of a long list stand: the arithmetic of `VirtualList`, apart from the page.

export interface Window {
  /** The first row that is drawn, and the one after the last. */
  first: number;
  last: number;
  /** Pixels that stand for the rows before and after. */
  before: number;
  after: number;
}

/** The heights of rows: measured where they were drawn, estimated elsewhere. Keys outlive a new order of the rows. */
export class Heights {
  #keys: readonly string[] = [];
  #known = new Map<string, number>();
  #estimate: number;
  /** Tops of the rows, and the whole height as the last one; `null` when it must be added up again. */
  #tops: Float64Array | null = null;

  constructor(estimate: number) {
    this.#estimate = estimate;
  }

  set keys(keys: readonly string[]) {
    this.#keys = keys;
    this.#tops = null;
  }

  get total(): number {
    return this.top(this.#keys.length);
  }

  /** Where a row begins, in pixels. */
  top(index: number): number {
    return this.#added()[Math.min(Math.max(index, 0), this.#keys.length)] ?? 0;
  }

  /** Notes how high a row turned out to be. Returns by how much that differs from what was thought. */
  measured(index: number, height: number): number {
    const key = this.#keys[index];
    if (key === undefined || height <= 0) return 0;
    const before = this.#known.get(key) ?? this.#estimate;
    if (before === height) return 0;
    this.#known.set(key, height);
    this.#tops = null;
    return height - before;
  }

  /** Forgets what was measured: the rows have another width now. */
  forget(): void {
    this.#known.clear();
    this.#tops = null;
  }

  /** The row that covers this pixel. */
  at(y: number): number {
    const tops = this.#added();
    let low = 0;
    let high = this.#keys.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((tops[middle] ?? 0) <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** What to draw when `height` pixels from `top` on are in sight, with `spare` rows on either side. */
  window(top: number, height: number, spare: number): Window {
    const count = this.#keys.length;
    if (count === 0) return { first: 0, last: 0, before: 0, after: 0 };
    const first = Math.max(0, this.at(top) - spare);
    const last = Math.min(count, this.at(top + height) + 1 + spare);
    return { first, last, before: this.top(first), after: this.total - this.top(last) };
  }

  /** How far to scroll so that a row is in sight whole; the same place when it is already. */
  reveal(index: number, top: number, height: number): number {
    const from = this.top(index);
    const to = this.top(index + 1);
    if (from < top) return from;
    if (to > top + height) return to - height;
    return top;
  }

  #added(): Float64Array {
    if (this.#tops) return this.#tops;
    const tops = new Float64Array(this.#keys.length + 1);
    for (let i = 0; i < this.#keys.length; i++) {
      tops[i + 1] = (tops[i] ?? 0) + (this.#known.get(this.#keys[i] ?? "") ?? this.#estimate);
    }
    this.#tops = tops;
    return tops;
  }
}
