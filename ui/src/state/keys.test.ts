import { describe, expect, it } from "vitest";
import { isTyping, isWidget, Keymap, type Press } from "./keys";

const read = (press: Press, typing = false, widget = false) => new Keymap().read(press, 0, typing, widget);

describe("keys", () => {
  it.each([
    ["j", "next"],
    ["ArrowUp", "previous"],
    ["Enter", "open"],
    ["Escape", "back"],
    ["2", "tab-2"],
    ["a", "acknowledge"],
    ["e", "notes"],
    ["n", "entry"],
    ["/", "filter"],
    ["F6", "next-region"],
  ])("%s means %s", (key, command) => expect(read({ key })).toBe(command));

  it("reads ? with the shift key it needs, and no other shifted letter", () => {
    expect(read({ key: "?", shiftKey: true })).toBe("keys");
    expect(read({ key: "A", shiftKey: true })).toBeNull();
    expect(read({ key: "F6", shiftKey: true })).toBe("previous-region");
  });

  it("leaves letters to text fields, but not F6 and Esc", () => {
    for (const key of ["a", "j", "1", "/", "?", "Enter", "ArrowDown"]) expect(read({ key }, true)).toBeNull();
    expect(read({ key: "Escape" }, true)).toBe("back");
    expect(read({ key: "F6" }, true)).toBe("next-region");
  });

  it("leaves Enter to buttons and links", () => {
    expect(read({ key: "Enter" }, false, true)).toBeNull();
    expect(read({ key: "j" }, false, true)).toBe("next");
  });

  it("leaves the system's own combinations and unfinished composition alone", () => {
    expect(read({ key: "a", ctrlKey: true })).toBeNull();
    expect(read({ key: "a", metaKey: true })).toBeNull();
    expect(read({ key: "n", isComposing: true })).toBeNull();
  });

  it("reads G and a second letter as one, if it comes soon", () => {
    const keys = new Keymap();
    expect(keys.read({ key: "g" }, 0, false, false)).toBeNull();
    expect(keys.read({ key: "c" }, 300, false, false)).toBe("go-clusters");
    expect(keys.read({ key: "g" }, 1000, false, false)).toBeNull();
    expect(keys.read({ key: "i" }, 1500, false, false)).toBe("go-incidents");
    keys.read({ key: "g" }, 2000, false, false);
    expect(keys.read({ key: "c" }, 9000, false, false)).toBe("cite");
  });
});

it("knows what has the focus", () => {
  document.body.innerHTML = `<textarea></textarea><input type="checkbox"><input><button><b>x</b></button>`;
  const [area, box, field, inner] = ["textarea", "[type=checkbox]", "input:not([type])", "b"].map((s) =>
    document.querySelector(s),
  );
  expect([area, box, field, inner].map((x) => isTyping(x ?? null))).toEqual([true, false, true, false]);
  expect(isWidget(inner ?? null, "Enter")).toBe(true);
  expect(isWidget(inner ?? null, "ArrowDown")).toBe(false);
  expect(isWidget(box ?? null, "ArrowDown")).toBe(true);
});
