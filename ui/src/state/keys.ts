// What each key means. Single letters are off wherever something can be typed (WCAG 2.1.4).

export type Command =
  | "next"
  | "previous"
  | "open"
  | "back"
  | "tab-1"
  | "tab-2"
  | "tab-3"
  | "tab-4"
  | "acknowledge"
  | "resolve"
  | "reopen"
  | "merge"
  | "split"
  | "not-incident"
  | "ticket"
  | "delete"
  | "silence"
  | "notes"
  | "entry"
  | "cite"
  | "save"
  | "export-pdf"
  | "select"
  | "filter"
  | "keys"
  | "palette"
  | "ask"
  | "inspect"
  | "explain"
  | "go-incidents"
  | "go-history"
  | "go-clusters"
  | "go-settings"
  | "go-models"
  | "next-gap"
  | "lanes-in"
  | "lanes-out"
  | "lanes-whole"
  | "page-back"
  | "page-forward"
  | "larger"
  | "smaller"
  | "real-size"
  | "next-region"
  | "previous-region";

const LETTERS: Record<string, Command> = {
  j: "next",
  k: "previous",
  "1": "tab-1",
  "2": "tab-2",
  "3": "tab-3",
  "4": "tab-4",
  a: "acknowledge",
  m: "silence",
  e: "notes",
  n: "entry",
  c: "cite",
  x: "select",
  "/": "filter",
  "?": "keys",
  "+": "lanes-in",
  "=": "lanes-in",
  "-": "lanes-out",
  "\u2212": "lanes-out",
  "0": "lanes-whole",
};
/** With Ctrl, or ⌘ on a Mac: these work in text fields too. */
const WITH_CTRL: Record<string, Command> = {
  k: "palette",
  j: "ask",
  s: "save",
  "+": "larger",
  "=": "larger",
  "-": "smaller",
  "0": "real-size",
};
const NAMED: Record<string, Command> = { ArrowDown: "next", ArrowUp: "previous", Enter: "open", Escape: "back" };
const AFTER_G: Record<string, Command> = {
  i: "go-incidents",
  h: "go-history",
  c: "go-clusters",
  s: "go-settings",
  g: "next-gap",
};
/** The signs that need a shift key on some keyboards. */
const SHIFTED = "?/+=";
/** How long G waits for the second letter. */
const SEQUENCE = 1_200;

export interface Press {
  key: string;
  ctrlKey?: boolean;
  metaKey?: boolean;
  altKey?: boolean;
  shiftKey?: boolean;
  isComposing?: boolean;
}

/** Turns key presses into commands; remembers a G that waits for its second letter. */
export class Keymap {
  #g = -Infinity;

  /** Single letters, digits and signs may be switched off; what has a name or needs Ctrl stays. */
  letters = true;

  /** `typing`: the focus is in a text field. `widget`: on something that uses this key itself. */
  read(press: Press, at: number, typing: boolean, widget: boolean): Command | null {
    if (press.isComposing) return null;
    const letter = press.key.toLowerCase();
    if (Boolean(press.ctrlKey) !== Boolean(press.metaKey) && !press.altKey) {
      if (press.shiftKey && letter === "p") return "export-pdf";
      return WITH_CTRL[letter] ?? null;
    }
    if (press.altKey && !press.ctrlKey && !press.metaKey && !typing) {
      return press.key === "ArrowLeft" ? "page-back" : press.key === "ArrowRight" ? "page-forward" : null;
    }
    if (press.ctrlKey || press.metaKey || press.altKey) return null;
    if (press.key === "F6") return press.shiftKey ? "previous-region" : "next-region";
    if (press.key === "Escape") return "back";
    if (typing) return null;
    const named = NAMED[press.key];
    if (named) return widget ? null : named;
    if (!this.letters) return null;

    const waiting = at - this.#g < SEQUENCE;
    this.#g = -Infinity;
    if (waiting && letter in AFTER_G) return AFTER_G[letter] ?? null;
    if (letter === "g") {
      this.#g = at;
      return null;
    }
    if (press.shiftKey && !SHIFTED.includes(press.key)) return null;
    return LETTERS[letter] ?? null;
  }
}

/** Whether single letters belong to what has the focus. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit"].includes(target.type);
}

/** Whether the key, Enter or an arrow, belongs to what has the focus. Rows are buttons: they press, they do not step. */
export function isWidget(target: EventTarget | null, key: string): boolean {
  const own = "[role=tab], input, dialog";
  const wanted = key.startsWith("Arrow") ? own : `a[href], button, summary, ${own}`;
  return target instanceof HTMLElement && target.closest(wanted) !== null;
}
