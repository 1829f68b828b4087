// List + watch, as Kubernetes does it. Every change carries a growing revision and the one before it; a list says up
// to which revision it is complete. Subscribe first, then list, so that nothing falls between the two.

export interface Revised {
  revision: number;
  previous: number;
}

/**
 * What to do with a change when the newest one shown is `known`. Several tasks tell of changes, so one may be told after
 * a later one: it is dropped only when it was `seen`, in a list or by itself.
 */
export function judge(known: number, change: Revised, seen: boolean): "drop" | "apply" | "relist" {
  if (change.revision <= known) return seen ? "drop" : "relist";
  return change.previous <= known ? "apply" : "relist";
}

interface Port<Snapshot extends { revision: number }, Change extends Revised> {
  list(): Promise<Snapshot>;
  replace(snapshot: Snapshot): void;
  apply(change: Change): void;
  /** Called with what went wrong when a list failed, and with `null` once one has come. */
  failed(error: unknown): void;
}

/** What a list ends with that the person waits for no longer: it is asked for again when they say so. */
export const GIVEN_UP = Symbol("given up");

/** After a failed list, and after a list that is older than a change already seen. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** Holds a list true to its source. Feed it every change; it lists by itself whenever it must. */
export class Follower<Snapshot extends { revision: number }, Change extends Revised> {
  #port: Port<Snapshot, Change>;
  #known = -1;
  /** Everything up to here was in a list; what was applied since stands in `#applied`. */
  #listed = -1;
  #applied = new Set<number>();
  #listing = false;
  #again = false;
  #waiting: Change[] = [];
  #wait = FIRST_WAIT;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(port: Port<Snapshot, Change>) {
    this.#port = port;
  }

  push(change: Change): void {
    if (this.#stopped) return;
    if (this.#listing || this.#known < 0) {
      this.#waiting.push(change);
      return;
    }
    switch (this.#judge(change)) {
      case "drop":
        return;
      case "apply":
        this.#apply(change);
        return;
      case "relist":
        this.#waiting.push(change);
        void this.list();
    }
  }

  /** Lists again; a call while a list is under way makes one more follow it. */
  async list(): Promise<void> {
    if (this.#stopped) return;
    if (this.#listing) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#listing = true;
    try {
      const snapshot = await this.#port.list();
      if (this.#stopped) return;
      this.#known = snapshot.revision;
      this.#listed = snapshot.revision;
      this.#applied.clear();
      this.#port.replace(snapshot);
      this.#port.failed(null);
      this.#listing = false;
      this.#replay();
    } catch (error) {
      this.#listing = false;
      if (this.#stopped) return;
      if (error !== GIVEN_UP) {
        this.#port.failed(error);
        this.#later();
      }
    }
    if (this.#again) {
      this.#again = false;
      void this.list();
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #judge(change: Change): "drop" | "apply" | "relist" {
    const seen = change.revision <= this.#listed || this.#applied.has(change.revision);
    return judge(this.#known, change, seen);
  }

  #apply(change: Change): void {
    this.#known = change.revision;
    this.#applied.add(change.revision);
    this.#port.apply(change);
  }

  #replay(): void {
    const waiting = this.#waiting.sort((a, b) => a.revision - b.revision);
    this.#waiting = [];
    for (const [i, change] of waiting.entries()) {
      const verdict = this.#judge(change);
      if (verdict === "apply") this.#apply(change);
      else if (verdict === "relist") {
        // A fresh list that is already behind: the next one is asked for a little later, not in a tight circle.
        this.#waiting = waiting.slice(i);
        this.#later();
        return;
      }
    }
    this.#wait = FIRST_WAIT;
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.list(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }
}
