import { EditorView } from "@codemirror/view";
import { flushSync, mount, unmount } from "svelte";
import { onTestFinished, vi } from "vitest";
import App from "../App.svelte";
// The window reads it when it is first wanted; a test waits for no file.
import "../postmortem/editor";
import { Fake, type Scene } from "../ipc/fake";

/** The whole window over a made-up program, as a person would use it; it closes with the test. */
export async function openWindow(scene: Scene = "night", hash = "", prepare: (fake: Fake) => void = () => {}) {
  location.hash = hash;
  const backend = new Fake(scene);
  prepare(backend);
  const target = document.createElement("div");
  document.body.append(target);
  const app = mount(App, { target, props: { backend } });
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await unmount(app);
    target.remove();
  };
  onTestFinished(close);
  await settle();
  return {
    backend,
    target,
    async press(key: string, more: KeyboardEventInit = {}) {
      const at = document.activeElement ?? document.body;
      at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
      await settle();
    },
    /** As long as it takes until something that came on screen by itself counts as seen. */
    async look() {
      await new Promise((done) => setTimeout(done, 550));
      await settle();
    },
    /** An incident like INC-47 is opened. */
    async opens(number: number) {
      const [like] = backend.incidents;
      if (!like) throw new Error("there is nothing to make it like");
      const id = like.id.replace(/..$/, String(number));
      const opened = {
        ...like,
        id,
        number,
        title: `payments-${number} has no ready pods`,
        started_at: like.detected_at,
      };
      backend.incidents = [opened, ...backend.incidents];
      backend.change(id, () => ({ state: "open" }));
      await settle();
      return id;
    },
    async type(field: HTMLInputElement | HTMLTextAreaElement, text: string) {
      field.focus();
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      await settle();
    },
    /** The source of the post-mortem. */
    source(): EditorView {
      const editor = target.querySelector<HTMLElement>(".cm-editor");
      const view = editor && EditorView.findFromDOM(editor);
      if (!view) throw new Error("the source of the post-mortem is not shown");
      return view;
    },
    /** Writes it anew, as typing does. */
    async write(text: string) {
      const view = this.source();
      view.focus();
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, userEvent: "input.type" });
      await settle();
    },
    /** Opens a menu and presses the `nth` entry of that name. */
    async choose(menu: string, entry: string, nth = 0) {
      this.button(menu).click();
      await settle();
      const entries = [...document.querySelectorAll<HTMLElement>("[data-item]")];
      const found = entries.filter((e) => e.textContent?.replace(/\s+/g, " ").trim().startsWith(entry))[nth];
      if (!found) throw new Error(`there is no “${entry}” in “${menu}”`);
      found.click();
      await settle();
    },
    button(name: string): HTMLButtonElement {
      const found = [...document.querySelectorAll<HTMLButtonElement>("button, a")].find((b) =>
        (b.getAttribute("aria-label") ?? b.textContent)?.replace(/\s+/g, " ").trim().startsWith(name),
      );
      if (!found) throw new Error(`there is no button “${name}”`);
      return found;
    },
    text: () => target.textContent?.replace(/\s+/g, " ") ?? "",
    close,
  };
}

/** Lets promises and effects come to rest. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) {
    flushSync();
    if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(0);
    else await new Promise((done) => setTimeout(done, 0));
  }
  flushSync();
}
