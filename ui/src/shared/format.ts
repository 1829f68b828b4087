// Times, spans and numbers as the window writes them. Everything takes the time as a number of milliseconds or as the
// wire's RFC 3339 text, and shows the zone that was chosen: the laptop's own, or UTC.
import { shown } from "./zone.svelte";

const two = (n: number) => String(n).padStart(2, "0");
const ms = (at: string | number) => (typeof at === "number" ? at : Date.parse(at));

/** How far the zone that is shown is from UTC at that time, in milliseconds. */
export function offset(at: string | number): number {
  return shown.utc ? 0 : -new Date(ms(at)).getTimezoneOffset() * 60_000;
}

/** A date whose UTC fields read as the zone that is shown does. */
const wall = (at: string | number) => new Date(ms(at) + offset(at));
const named = (d: Date, part: Intl.DateTimeFormatOptions) =>
  d.toLocaleDateString("en-GB", { ...part, timeZone: "UTC" });

/** `03:14:51` */
export function clock(at: string | number): string {
  const d = wall(at);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** `03:14` */
export function clockShort(at: string | number): string {
  return clock(at).slice(0, 5);
}

/** `12 Nov`, with the year when it is not this one. */
export function day(at: string | number, now: number): string {
  const d = wall(at);
  const text = `${d.getUTCDate()} ${named(d, { month: "short" })}`;
  return d.getUTCFullYear() === wall(now).getUTCFullYear() ? text : `${text} ${d.getUTCFullYear()}`;
}

export function sameDay(a: string | number, b: string | number): boolean {
  return wall(a).toISOString().slice(0, 10) === wall(b).toISOString().slice(0, 10);
}

/** The clock today; with the day before it on any other day: `12 Nov, 02:56:12`. */
export function moment(at: string | number, now: number): string {
  return sameDay(at, now) ? clock(at) : `${day(at, now)}, ${clock(at)}`;
}

/** The whole moment in the person's own way of writing it, with the zone. */
export function whole(at: string | number): string {
  const style: Intl.DateTimeFormatOptions = { dateStyle: "full", timeStyle: "long" };
  return new Intl.DateTimeFormat(undefined, shown.utc ? { ...style, timeZone: "UTC" } : style).format(new Date(ms(at)));
}

/** `13 m ago`, `in 2 h` */
export function ago(at: string | number, now: number): string {
  const s = seconds(at, now);
  return s >= 0 ? `${age(s)} ago` : `in ${age(-s)}`;
}

/** `CET` */
export function zone(at: number): string {
  if (shown.utc) return "UTC";
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date(at));
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}

/** `53 s`, `17 m 48 s`, `2 h 05 m`, `3 d 4 h`; under a second `under 1 s`. */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s === 0) return "under 1 s";
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** One unit only, for a narrow column: `40 s`, `13 m`, `3 h`, `2 d`. */
export function age(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** The same for a screen reader: `13 minutes`, `1 hour`. */
export function spokenAge(seconds: number): string {
  const [count, unit] = age(seconds).split(" ");
  const word = { s: "second", m: "minute", h: "hour", d: "day" }[unit ?? "s"] ?? "second";
  return `${count} ${word}${count === "1" ? "" : "s"}`;
}

/** When something ended: the clock today, the weekday within the week, the day before that. */
export function ended(at: string | number, now: number): string {
  if (sameDay(at, now)) return clockShort(at);
  if (now - ms(at) < 6 * 86_400_000) return named(wall(at), { weekday: "short" });
  return day(at, now);
}

/** When something will end: `09:00` today, `Sat 14 Nov, 09:00` on any other day. */
export function until(at: string | number, now: number): string {
  if (sameDay(at, now)) return clockShort(at);
  return `${named(wall(at), { weekday: "short" })} ${day(at, now)}, ${clockShort(at)}`;
}

/** `2 411`: thousands apart by a narrow space that does not break. */
export function number(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** `1 pod`, `3 pods` */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** Seconds between two moments. */
export function seconds(from: string | number, to: string | number): number {
  return (ms(to) - ms(from)) / 1000;
}
