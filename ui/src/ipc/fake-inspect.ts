// What the made-up program says when a person looks into a workload: what is broken in the story has its incident,
// everything else is well.
import type { ChoiceDto, ChoicesDto, IncidentDto, InspectionDto } from "./types";
import { BackendError } from "./backend";

const choice = (kind: string, name: string, state: string): ChoiceDto => ({
  cluster: "prod-eu",
  object: { api_version: kind === "Service" ? "v1" : "apps/v1", kind, namespace: "shop", name, uid: `${kind}-${name}` },
  state,
});

const CHOICES: readonly ChoiceDto[] = [
  choice("Deployment", "checkout", "0 of 3 ready"),
  choice("Deployment", "cart", "3 of 3 ready"),
  choice("Deployment", "pricing", "2 of 2 ready"),
  choice("StatefulSet", "orders-db", "1 of 1 ready"),
  choice("Service", "cart", ""),
];

/** Those whose kind, namespace and name hold what was typed. */
export function choices(text: string): ChoicesDto {
  const words = text
    .toLowerCase()
    .split(/[\s/]+/)
    .filter(Boolean);
  const line = ({ object: o }: ChoiceDto) => `${o.kind} ${o.namespace} ${o.name}`.toLowerCase();
  return { choices: CHOICES.filter((c) => words.every((word) => line(c).includes(word))), more: false };
}

export function inspection(
  incidents: IncidentDto[],
  like: IncidentDto,
  kind: string,
  name: string,
  now: number,
): InspectionDto {
  const subject = CHOICES.find((c) => c.object.kind === kind && c.object.name === name)?.object;
  if (!subject) throw new BackendError(`There is no ${kind} ${name} in shop.`);
  const own = incidents.filter(
    (i) => i.state !== "resolved" && i.subject.kind === subject.kind && i.subject.name === subject.name,
  );
  if (own.length > 0) return { subject, incidents: own.map((i) => i.id), nothing: null, unread: [] };
  const at = new Date(now).toISOString();
  const looked = (statement: string, result = "no") => ({ statement, result, evidence: [] });
  const nothing: IncidentDto = {
    ...like,
    id: "0",
    number: 0,
    title: `${kind} ${name} in shop: nothing was found`,
    opened_by: "user",
    state: "resolved",
    severity: "low",
    subject,
    started_at: null,
    detected_at: at,
    resolved_at: at,
    verdict: "not_established",
    causes: [],
    findings: [],
    changes: [],
    actions: [],
    evidence: [],
    timeline: [],
    needs: ["when it went wrong, and what was seen of it"],
    ruled_out: [
      looked("Crashes: 3 of 3 pods ready, no container has restarted"),
      looked("What its containers write: 412 lines of 3 logs tell of no failure that goes on"),
      looked("Node trouble: nodes cannot be read", "open"),
    ],
  };
  return { subject, incidents: [], nothing, unread: [] };
}
