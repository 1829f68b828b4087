// How long a silence may last: the choices of its dialog, as instants.

export interface End {
  id: string;
  name: string;
  /** Milliseconds. */
  at: number;
}

const HOUR = 3_600_000;

/** The next time the laptop's clock shows this hour, `days` from today at the earliest. */
function nextAt(hour: number, now: number, days: number): number {
  const then = new Date(now);
  then.setDate(then.getDate() + days);
  then.setHours(hour, 0, 0, 0);
  return then.getTime();
}

/** Ends to choose from: spans first, then the next morning and the next working week. */
export function ends(now: number): End[] {
  const today = new Date(now);
  // Before six the morning that is meant is today's.
  const morning = nextAt(9, now, today.getHours() < 6 ? 0 : 1);
  const days = (8 - today.getDay()) % 7 || 7;
  return [
    { id: "1h", name: "1 hour", at: now + HOUR },
    { id: "4h", name: "4 hours", at: now + 4 * HOUR },
    { id: "morning", name: "Until the morning", at: morning },
    { id: "monday", name: "Until Monday", at: nextAt(9, now, days) },
  ];
}

/** Whole minutes until then, one at least: what the record is asked for. */
export function minutesUntil(at: number, now: number): number {
  return Math.max(1, Math.round((at - now) / 60_000));
}

/** What a field for a local date and time holds for this moment. */
export function asLocal(at: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const d = new Date(at);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}`;
}
