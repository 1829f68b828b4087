// More of everything than is pleasant, to see that the window stays quick: `?scene=many`.
import type { IncidentDto, TimelineDto } from "../types";

/** Ten thousand incidents; the first stays as it is. */
export function manyIncidents(like: IncidentDto, now: number): IncidentDto[] {
  const STATES = ["open", "acknowledged", "mitigated", "resolved"];
  const SEVERITIES = ["critical", "high", "medium", "low"];
  return Array.from({ length: 10_000 }, (_, n) => {
    const state = STATES[n % 50 < 3 ? n % 3 : 3] ?? "resolved";
    const start = new Date(now - (n + 1) * 600_000).toISOString();
    return {
      ...like,
      id: `01995f2a-7c00-7000-9000-${String(n).padStart(12, "0")}`,
      number: 10_100 - n,
      title: `service-${n % 97} has ${n % 7} of 8 pods ready${n % 5 === 0 ? ": the readiness probe answers 503 since the last roll-out of the chart" : ""}`,
      state,
      severity: SEVERITIES[n % 4] ?? "low",
      cluster: n % 3 === 0 ? "staging-eu" : "prod-eu",
      subject: { ...like.subject, name: `service-${n % 97}`, namespace: `team-${n % 40}` },
      started_at: start,
      detected_at: start,
      resolved_at: state === "resolved" ? new Date(now - n * 600_000).toISOString() : null,
    };
  });
}

/** Five thousand entries between two moments. */
export function manyEntries(like: TimelineDto, from: number, to: number): TimelineDto[] {
  return Array.from({ length: 5_000 }, (_, n) => ({
    ...like,
    seq: 1000 + n,
    at: new Date(from + ((to - from) * n) / 5_000).toISOString(),
    kind: n % 40 === 0 ? "change" : "symptom",
    label: null,
    text:
      n % 40 === 0 ? `ConfigMap flags-${n} changed` : `Pod checkout-5f8b97c6d-${n % 60} killed for memory, exit 137`,
  }));
}

/** A hundred thousand lines. */
export function manyLines(): string {
  return Array.from({ length: 100_000 }, (_, n) => {
    const s = Math.floor(n / 50);
    const clock = `02:${String(20 + Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`;
    if (n % 9973 === 0) return `${clock}.100 ERROR c.s.Pool connection ${n} refused after ${n % 77} tries`;
    return `${clock}.${String(n % 1000).padStart(3, "0")} INFO c.s.http.Access POST /v1/checkout 200 in ${n % 300} ms`;
  }).join("\n");
}
