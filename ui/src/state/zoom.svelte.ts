// How large everything is. Sizes of text and the widths that follow them are `rem`, so one number moves them all.

/** The steps of Ctrl + and −, in per cent. */
export const STEPS = [80, 90, 100, 110, 125, 150, 175, 200] as const;
const KEY = "afterwatch.zoom";

/** The size of the page, kept on this computer. */
export class Zoom {
  percent = $state(kept());

  constructor() {
    this.#apply();
  }

  step(by: 1 | -1): void {
    const next = by > 0 ? STEPS.find((s) => s > this.percent) : STEPS.findLast((s) => s < this.percent);
    if (next !== undefined) this.set(next);
  }

  reset(): void {
    this.set(100);
  }

  set(percent: number): void {
    this.percent = Math.min(STEPS[STEPS.length - 1] ?? 200, Math.max(STEPS[0], percent));
    this.#apply();
    try {
      localStorage.setItem(KEY, String(this.percent));
    } catch {
      // Where nothing may be kept, the size holds until the window is closed.
    }
  }

  #apply(): void {
    document.documentElement.style.fontSize = `${this.percent}%`;
  }
}

function kept(): number {
  try {
    const value = Number(localStorage.getItem(KEY));
    return STEPS.find((s) => s === value) ?? 100;
  } catch {
    return 100;
  }
}
