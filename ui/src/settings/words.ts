// How the settings are spoken of.
import type { NotificationSettings } from "../ipc/types";
import { offset, span, until } from "../shared/format";

export const SECTION_NAMES = {
  models: "Models",
  notifications: "Notifications",
  rules: "Rules",
  watching: "Watching",
  recording: "Recording",
  privacy: "Privacy",
  appearance: "Appearance",
} as const;

export const WHEN = [
  { value: "now", name: "at once" },
  { value: "morning", name: "in the morning, as one note" },
  { value: "window", name: "only in the window" },
];

export const RECOVERED = [
  { value: "notified", name: "when an incident I was told of is over" },
  { value: "acknowledged", name: "when an incident somebody acknowledged is over" },
  { value: "never", name: "never" },
];

export const SENT: Record<string, string> = {
  opened: "opened",
  worse: "became worse",
  recovered: "recovery",
  summary: "what was already broken",
  lost_sight: "loss of sight",
  morning: "morning note",
};

/** Something waits for the morning, so that its hour matters. */
export function hasMorning(n: NotificationSettings): boolean {
  return n.quiet_hours !== null || [n.critical, n.high, n.medium, n.low].includes("morning");
}

const HOUR = 3_600_000;

/** Ends of a time on call that people use, each with its moment. */
export function shifts(now: number): { at: string; name: string }[] {
  const wall = new Date(now + offset(now));
  const morning = (days: number) => {
    const utc = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate() + days, 9);
    return utc - offset(utc);
  };
  // The next Monday that is not today.
  const monday = morning((8 - wall.getUTCDay()) % 7 || 7);
  const iso = (at: number) => new Date(at).toISOString();
  return [
    { at: iso(now + 8 * HOUR), name: `for 8 hours, until ${until(now + 8 * HOUR, now)}` },
    { at: iso(morning(1)), name: `until ${until(morning(1), now)}` },
    { at: iso(monday), name: `until ${until(monday, now)}` },
    { at: iso(now + 168 * HOUR), name: `for 7 days, until ${until(now + 168 * HOUR, now)}` },
  ].filter((shift, i, all) => all.findIndex((other) => other.at === shift.at) === i);
}

/** `2026-11-16 09:00` in the zone that is shown, as the wire writes it; `null` for anything else. */
export function moment(text: string): string | null {
  const [, y, mo, d, h, m] = /^\s*(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2})\s*$/.exec(text) ?? [];
  if (y === undefined) return null;
  const utc = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(m));
  const read = new Date(utc);
  const real = read.getUTCMonth() === Number(mo) - 1 && read.getUTCDate() === Number(d) && Number(h) < 24;
  return real && Number(m) < 60 ? new Date(utc - offset(utc)).toISOString() : null;
}

/** How long a finding must have lasted. `null` is the rule's own. */
export const HOLDS: { value: number | null; name: string }[] = [
  { value: null, name: "as the rule says" },
  ...[0, 30, 60, 120, 300, 600, 1800].map((s) => ({ value: s, name: s === 0 ? "at once" : holdName(s) })),
];

function holdName(s: number): string {
  return s % 60 === 0 ? `after ${s / 60} m` : `after ${span(s)}`;
}

/** The choices, with what is set in front when it is none of them. */
export function holds(current: number | null): { value: number | null; name: string }[] {
  return HOLDS.some((hold) => hold.value === current) || current === null
    ? HOLDS
    : [...HOLDS, { value: current, name: holdName(current) }];
}

const DAYS: [number | null, string][] = [
  [7, "7 days"],
  [30, "30 days"],
  [90, "3 months"],
  [180, "6 months"],
  [365, "12 months"],
  [730, "2 years"],
  [null, "for ever"],
];

/** How long something is kept, with what is set among the choices. */
export function kept(current: number | null): { value: number | null; name: string }[] {
  const all = DAYS.map(([value, name]) => ({ value, name }));
  if (all.some((choice) => choice.value === current)) return all;
  const own = { value: current, name: `${current} days` };
  return [...all, own].sort((a, b) => (a.value ?? Infinity) - (b.value ?? Infinity));
}

/** `1.2 GB`, as disks are sold. */
export function size(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let n = bytes;
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}
