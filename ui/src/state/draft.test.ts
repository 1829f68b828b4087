import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Draft, LONGEST, REST } from "./draft.svelte";

const AT = "2026-11-12T02:14:03Z";

describe("a draft", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is saved once typing rests, not at every letter", async () => {
    const save = vi.fn(async () => ({ at: AT }));
    const draft = new Draft({ text: "", at: null }, save);
    for (const text of ["R", "Ro", "Rolled back"]) draft.type(text);
    await vi.advanceTimersByTimeAsync(REST - 1);
    expect(save).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(save.mock.calls).toEqual([["Rolled back"]]);
    expect(draft.state).toBe("saved");
    expect(draft.savedAt).toBe(AT);
  });

  it("is saved now and then while typing goes on without a rest", async () => {
    const save = vi.fn(async () => ({ at: AT }));
    const draft = new Draft({ text: "", at: null }, save);
    for (let i = 0; i * 200 <= LONGEST; i++) {
      draft.type("x".repeat(i + 1));
      await vi.advanceTimersByTimeAsync(200);
    }
    expect(save).toHaveBeenCalled();
  });

  it("is saved at once on leaving", async () => {
    const save = vi.fn(async () => ({ at: AT }));
    const draft = new Draft({ text: "old", at: AT }, save);
    draft.type("new");
    await draft.flush();
    expect(save.mock.calls).toEqual([["new"]]);
    expect(draft.dirty).toBe(false);
  });

  it("keeps the text when saving fails, says why, and tries again", async () => {
    const save = vi.fn(async () => ({ at: AT }));
    save.mockRejectedValueOnce({ code: "disk_full", message: "The disk is full." });
    const draft = new Draft({ text: "", at: null }, save);
    draft.type("Raised the limit by hand");
    await vi.advanceTimersByTimeAsync(REST);
    expect(draft.state).toBe("failed");
    expect(draft.error).toBe("The disk is full.");
    expect(draft.text).toBe("Raised the limit by hand");
    expect(draft.dirty).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(save).toHaveBeenCalledTimes(2);
    expect(draft.state).toBe("saved");
    expect(draft.error).toBeNull();
  });

  it("saves what was typed while a save was under way, after it", async () => {
    let done = () => {};
    const save = vi.fn(() => new Promise<{ at: string }>((resolve) => (done = () => resolve({ at: AT }))));
    const draft = new Draft({ text: "", at: null }, save);
    draft.type("one");
    await vi.advanceTimersByTimeAsync(REST);
    draft.type("one two");
    const flushed = draft.flush();
    done();
    await vi.advanceTimersByTimeAsync(0);
    done();
    await flushed;
    expect(save.mock.calls).toEqual([["one"], ["one two"]]);
  });

  it("takes a citation where the caret was last, else at the end", async () => {
    const draft = new Draft({ text: "Heap was full. Rolled back.", at: AT }, async () => ({ at: AT }));
    draft.insert("[E9]");
    expect(draft.text).toBe("Heap was full. Rolled back. [E9]");
    draft.caret = "Heap was full".length;
    draft.insert("[E6]");
    expect(draft.text).toBe("Heap was full [E6]. Rolled back. [E9]");
    await draft.flush();
  });

  it("takes a newer text from the record only when nothing here is unsaved", async () => {
    const draft = new Draft({ text: "a", at: AT }, async () => ({ at: AT }));
    draft.adopt("b", AT, 1);
    expect(draft.text).toBe("b");
    draft.type("mine");
    draft.adopt("c", AT, 2);
    expect(draft.text).toBe("mine");
    await draft.flush();
  });

  it("does not go back to an answer that was on its way while it was saved", async () => {
    const draft = new Draft({ text: "old", at: AT, version: 3 }, async () => ({ at: AT, version: 4 }));
    draft.type("old and the last words");
    await draft.flush();
    draft.adopt("old", AT, 3);
    expect(draft.text).toBe("old and the last words");
    draft.adopt("from the command line", AT, 5);
    expect(draft.text).toBe("from the command line");
  });

  it("saves nothing while it is held, and goes on where it was", async () => {
    const save = vi.fn(async () => ({ at: AT }));
    save.mockRejectedValueOnce(new Error("The disk is full."));
    const draft = new Draft({ text: "", at: null }, save);
    draft.type("mine");
    await draft.flush();
    expect(draft.state).toBe("failed");
    await draft.hold();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(save).toHaveBeenCalledOnce();
    draft.release();
    await vi.advanceTimersByTimeAsync(REST);
    expect(save).toHaveBeenCalledTimes(2);
  });

  it("tells when something typed is here alone, until it is saved", async () => {
    const told: boolean[] = [];
    const save = vi.fn(async () => ({ at: AT }));
    save.mockRejectedValueOnce(new Error("The disk is full."));
    const draft = new Draft({ text: "", at: null }, save, (is) => told.push(is));
    draft.type("mine");
    await draft.flush();
    expect(told).toEqual([true]);
    await draft.flush();
    expect(told).toEqual([true, false]);
  });
});
