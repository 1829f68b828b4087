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
  /** Sums of heights as in a Fenwick tree, so that a row that is measured costs a few steps however long the list is;
   * `null` when they must be added up again. */
  #sums: Float64Array | null = null;

  constructor(estimate: number) {
    this.#estimate = estimate;
  }

  set keys(keys: readonly string[]) {
    if (keys === this.#keys) return;
    this.#keys = keys;
    this.#sums = null;
  }

  get total(): number {
    return this.top(this.#keys.length);
  }

  /** Where a row begins, in pixels. */
  top(index: number): number {
    const sums = this.#added();
    let sum = 0;
    for (let i = Math.min(Math.max(index, 0), this.#keys.length); i > 0; i -= i & -i) sum += sums[i] ?? 0;
    return sum;
  }

  /** Notes how high a row turned out to be. Returns by how much that differs from what was thought. */
  measured(index: number, height: number): number {
    const key = this.#keys[index];
    if (key === undefined || height <= 0) return 0;
    const by = height - (this.#known.get(key) ?? this.#estimate);
    if (by === 0) return 0;
    this.#known.set(key, height);
    const sums = this.#sums;
    if (sums) for (let i = index + 1; i < sums.length; i += i & -i) sums[i] = (sums[i] ?? 0) + by;
    return by;
  }

  /** Forgets what was measured: the rows have another width now. */
  forget(): void {
    this.#known.clear();
    this.#sums = null;
  }

  /** The row that covers this pixel. */
  at(y: number): number {
    const sums = this.#added();
    const count = this.#keys.length;
    let before = 0;
    let left = y;
    for (let step = 1 << Math.floor(Math.log2(Math.max(1, count))); step > 0; step >>= 1) {
      const sum = sums[before + step];
      if (sum === undefined || sum > left) continue;
      before += step;
      left -= sum;
    }
    return Math.max(0, Math.min(before, count - 1));
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
    if (this.#sums) return this.#sums;
    const sums = new Float64Array(this.#keys.length + 1);
    for (let i = 1; i < sums.length; i++) {
      const sum = (sums[i] ?? 0) + (this.#known.get(this.#keys[i - 1] ?? "") ?? this.#estimate);
      sums[i] = sum;
      const next = i + (i & -i);
      if (next < sums.length) sums[next] = (sums[next] ?? 0) + sum;
    }
    this.#sums = sums;
    return sums;
  }
}
