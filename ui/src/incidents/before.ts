// Whether something like it was seen before: incidents of the same workload, as far as the inbox holds them.
import type { IncidentDto, IncidentSummary } from "../ipc/types";

/** Earlier incidents of the same subject, the newest first. What became part of another counts with that one. */
export function before(incident: IncidentDto, all: readonly IncidentSummary[]): IncidentSummary[] {
  const { subject } = incident;
  return all
    .filter(
      (i) =>
        i.number < incident.number &&
        i.merged_into === null &&
        i.cluster === incident.cluster &&
        i.namespace === subject.namespace &&
        i.subject_kind === subject.kind &&
        i.subject_name === subject.name,
    )
    .sort((a, b) => b.number - a.number);
}

/** `1st`, `2nd`, `11th` */
export function ordinal(n: number): string {
  const ten = n % 100;
  const end = ten >= 11 && ten <= 13 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[n % 10] ?? "th");
  return `${n}${end}`;
}
