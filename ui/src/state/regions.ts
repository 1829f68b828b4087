/** F6: from part to part of the window. A region with something to press gives the focus to that. */
export function nextRegion(step: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")].filter(
    (r) => r.offsetParent !== null || r.isConnected,
  );
  if (regions.length === 0) return;
  // The innermost region that has the focus; without one, the step leads to the work area.
  const at = regions.findLastIndex((region) => region.contains(document.activeElement));
  const next = regions[at < 0 ? Math.min(1, regions.length - 1) : (at + step + regions.length) % regions.length];
  if (!next) return;
  const inside = next.querySelector<HTMLElement>(
    '[aria-selected="true"], [aria-current="true"], [aria-current="page"], a[href], button:not(:disabled), input, textarea',
  );
  (next.matches("textarea, [tabindex='0']") ? next : (inside ?? next)).focus();
}
