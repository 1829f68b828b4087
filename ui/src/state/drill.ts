import type { DrillDto } from "../ipc/types";

/** How fast a story is played in the window: slow enough to see it unfold, fast enough to wait for nothing. */
export const SPEED = 20;

/**
 * What time it is in the story at this real time, in milliseconds. The story runs fast until it is over, waits at its
 * first moment before it began, and walks with the real clock afterwards. Without a drill the real time.
 */
export function storyTime(real: number, drill: DrillDto | null | undefined): number {
  if (!drill) return real;
  const [starts, ends] = [Date.parse(drill.starts_at), Date.parse(drill.ends_at)];
  if (drill.begun_at === null) return starts;
  const over = Date.parse(drill.begun_at) + (ends - starts) / drill.speed;
  if (real >= over) return ends + (real - over);
  return Math.max(starts, ends - (over - real) * drill.speed);
}

/** How far the story is: what the bar says. */
export function progress(now: number, drill: DrillDto): "waiting" | "playing" | "over" {
  if (drill.begun_at === null) return "waiting";
  return now < Date.parse(drill.ends_at) ? "playing" : "over";
}
