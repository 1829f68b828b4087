/** A moment of the night of the story, 12 November 2026 in CET, as the wire writes it. */
export function at(clock: string, day = 12): string {
  const [h = 0, m = 0, s = 0] = clock.split(":").map(Number);
  return new Date(Date.UTC(2026, 10, day, h - 1, m, s)).toISOString().replace(".000Z", "Z");
}
