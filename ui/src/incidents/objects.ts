// The objects an incident speaks of, gathered from everything that names one.
import type { IncidentDto, ObjectRefDto } from "../ipc/types";

/** Why an object is named, the weightiest first. */
export const ROLES = ["cause", "subject", "hurt", "changed", "looked at"] as const;
export type Role = (typeof ROLES)[number];

export interface Named {
  ref: ObjectRefDto;
  role: Role;
  /** What is kept of it, as `E3` and `C2`. */
  items: string[];
}

const keyOf = (o: ObjectRefDto) => `${o.kind}/${o.namespace ?? ""}/${o.name}`;

/** Each object once, with its weightiest role; what must be changed first, what was only looked at last. */
export function objects(incident: IncidentDto): Named[] {
  const named = new Map<string, Named>();
  const add = (ref: ObjectRefDto, role: Role, item?: string) => {
    const key = keyOf(ref);
    const known = named.get(key) ?? { ref, role, items: [] };
    if (ROLES.indexOf(role) < ROLES.indexOf(known.role)) known.role = role;
    if (item && !known.items.includes(item)) known.items.push(item);
    named.set(key, known);
  };
  const [first] = incident.causes;
  if (first) {
    add(first.entity, "cause");
    if (first.referrer) add(first.referrer, "looked at");
  }
  add(incident.subject, "subject");
  for (const f of incident.findings) add(f.object, "hurt");
  for (const c of incident.changes) add(c.object, "changed", c.id);
  for (const e of incident.evidence) add(e.object, "looked at", e.id);
  return [...named.values()].sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role));
}

/** The line that shows an object, for a shell. */
export function getLine(cluster: string, ref: ObjectRefDto): string {
  const [group] = ref.api_version.includes("/") ? ref.api_version.split("/") : [""];
  const type = `${ref.kind.toLowerCase()}${group ? `.${group}` : ""}`;
  const words = [
    "kubectl",
    "--context",
    quoted(cluster),
    ...(ref.namespace ? ["-n", quoted(ref.namespace)] : []),
    "get",
    type,
    quoted(ref.name),
    "-o",
    "yaml",
  ];
  return words.join(" ");
}

/** Quoted for a POSIX shell, where it has to be: names of contexts may hold anything. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
