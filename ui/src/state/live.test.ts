import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Follower, judge } from "./live";

describe("judging a change", () => {
  it.each([
    [5, { revision: 4, previous: 3 }, true, "drop"],
    [5, { revision: 5, previous: 4 }, true, "drop"],
    [5, { revision: 4, previous: 5 }, false, "relist"],
    [5, { revision: 6, previous: 5 }, false, "apply"],
    [5, { revision: 7, previous: 3 }, false, "apply"],
    [5, { revision: 8, previous: 6 }, false, "relist"],
  ] as const)("at revision %d, %o, seen %s: %s", (known, change, seen, verdict) =>
    expect(judge(known, change, seen)).toBe(verdict),
  );
});

function follow() {
  const lists: { answer: (revision: number) => Promise<void>; fail: () => Promise<void> }[] = [];
  const shown: number[] = [];
  const errors: unknown[] = [];
  const follower = new Follower<{ revision: number }, { revision: number; previous: number }>({
    list: () =>
      new Promise((resolve, reject) => {
        const settle = () => vi.advanceTimersByTimeAsync(0).then(() => undefined);
        lists.push({
          answer: (revision) => (resolve({ revision }), settle()),
          fail: () => (reject(new Error("no")), settle()),
        });
      }),
    replace: (snapshot) => {
      shown.length = 0;
      shown.push(snapshot.revision);
    },
    apply: (change) => shown.push(change.revision),
    failed: (error) => errors.push(error),
  });
  const at = (i: number) => lists[i] ?? expect.fail(`list ${i} was not asked for`);
  const change = (revision: number, previous = revision - 1) => follower.push({ revision, previous });
  return { follower, lists, shown, errors, at, change };
}

describe("following", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("keeps what arrives before the first list and drops what the list already holds", async () => {
    const f = follow();
    f.change(4);
    void f.follower.list();
    f.change(5);
    f.change(6);
    await f.at(0).answer(5);
    expect(f.shown).toEqual([5, 6]);
    expect(f.lists).toHaveLength(1);
  });

  it("lists again when a revision is missing, and then shows the change that told of it", async () => {
    const f = follow();
    void f.follower.list();
    await f.at(0).answer(1);
    f.change(4);
    expect(f.lists).toHaveLength(2);
    await f.at(1).answer(3);
    expect(f.shown).toEqual([3, 4]);
  });

  it("puts changes that came out of order back into order", async () => {
    const f = follow();
    void f.follower.list();
    f.change(3);
    f.change(2);
    await f.at(0).answer(1);
    expect(f.shown).toEqual([1, 2, 3]);
  });

  it("lists again for a change that is told after a later one, and drops one that is told twice", async () => {
    const f = follow();
    void f.follower.list();
    await f.at(0).answer(9);
    f.change(11, 9);
    f.change(11, 11);
    expect(f.lists).toHaveLength(1);
    f.change(10, 11);
    expect(f.lists).toHaveLength(2);
    await f.at(1).answer(11);
    f.change(10, 11);
    expect(f.shown).toEqual([11]);
    expect(f.lists).toHaveLength(2);
  });

  it("does not circle when the list stays behind the changes", async () => {
    const f = follow();
    void f.follower.list();
    await f.at(0).answer(1);
    f.change(9);
    await f.at(1).answer(2);
    expect(f.lists).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(500);
    await f.at(2).answer(9);
    expect(f.shown).toEqual([9]);
  });

  it("says that a list failed, tries again later, and loses nothing meanwhile", async () => {
    const f = follow();
    void f.follower.list();
    f.change(2);
    await f.at(0).fail();
    expect(f.errors).toHaveLength(1);
    f.change(3);
    await vi.advanceTimersByTimeAsync(500);
    await f.at(1).answer(1);
    expect(f.shown).toEqual([1, 2, 3]);
    expect(f.errors.at(-1)).toBeNull();
  });

  it("asks once more when it was told to list while listing", async () => {
    const f = follow();
    void f.follower.list();
    void f.follower.list();
    void f.follower.list();
    await f.at(0).answer(1);
    await f.at(1).answer(2);
    expect(f.lists).toHaveLength(2);
  });

  it("is silent once stopped", async () => {
    const f = follow();
    void f.follower.list();
    f.follower.stop();
    await f.at(0).answer(1);
    expect(f.shown).toEqual([]);
  });
});
