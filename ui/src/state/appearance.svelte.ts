import type { Backend } from "../ipc/api";
import type { AppearanceSettings } from "../ipc/types";
import { shown } from "../shared/zone.svelte";

/** Per cent, one step of Ctrl + and Ctrl −. */
export const SIZES = [80, 90, 100, 110, 125, 150, 175, 200] as const;

/** How the window looks and which keys count. What is changed shows at once and is taken back when it cannot be kept. */
export class Appearance {
  value = $state<AppearanceSettings>({ theme: "system", single_keys: true, clock: "local", zoom: 100 });
  #backend: Backend;
  /** Counts changes, so that an answer that was overtaken takes nothing back. */
  #turn = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Takes over what the record says. A window that cannot ask keeps what it shows. */
  async read(): Promise<void> {
    const turn = this.#turn;
    try {
      const { appearance } = await this.#backend.settings();
      if (turn === this.#turn) this.#show(appearance);
    } catch {
      // The settings screen says why they cannot be read; the window is usable as it is.
    }
  }

  /** Shows it at once, then keeps it; what cannot be kept is taken back, and the refusal goes to the caller. */
  async set(change: Partial<AppearanceSettings>): Promise<void> {
    const before = this.value;
    const turn = ++this.#turn;
    this.#show({ ...before, ...change });
    try {
      await this.#backend.setAppearance($state.snapshot(this.value));
    } catch (thrown) {
      if (turn === this.#turn) this.#show(before);
      throw thrown;
    }
  }

  /** One step larger or smaller; `0` is 100 %. */
  async zoom(step: 1 | -1 | 0): Promise<void> {
    const now = this.value.zoom;
    const to = step === 0 ? 100 : step > 0 ? SIZES.find((s) => s > now) : SIZES.findLast((s) => s < now);
    if (to !== undefined && to !== now) await this.set({ zoom: to });
  }

  #show(value: AppearanceSettings): void {
    this.value = value;
    shown.utc = value.clock === "utc";
    const page = document.documentElement;
    const theme = value.theme === "system" ? "" : value.theme;
    if (theme) page.dataset["theme"] = theme;
    else delete page.dataset["theme"];
    // Sizes of text are rem, so that the whole page follows.
    page.style.fontSize = value.zoom === 100 ? "" : `${value.zoom}%`;
    // look.js shows the same before this is read the next time.
    localStorage["theme"] = theme;
    localStorage["size"] = page.style.fontSize;
  }
}
