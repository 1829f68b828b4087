// The words and the order of incidents, as the design has them.
import type { ActionDto, EvidenceDto, IncidentDto, IncidentSummary } from "../ipc/types";
import { isSilenced } from "../state/filter";
import { address } from "../state/route";

export const SEVERITIES = ["critical", "high", "medium", "low"] as const;
export type Severity = (typeof SEVERITIES)[number];

const sentence = (word: string) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll("_", " ");

/** `critical` → `Critical`, `not_established` → `Not established` */
export const word = sentence;

/** A severity the window does not know yet is drawn as the mildest rather than left out. */
export function severity(of: string): Severity {
  return SEVERITIES.find((known) => known === of) ?? "low";
}

/** `prod-eu / shop` */
export function place(i: Pick<IncidentSummary, "cluster" | "namespace">): string {
  return i.namespace ? `${i.cluster} / ${i.namespace}` : i.cluster;
}

export const label = (i: { number: number }) => `INC-${i.number}`;

/** How the heading over the cause goes on: its strength as a tally, never as a percentage. */
export function strength(confidence: string, signs: { for: number; against: number; unchecked: number }): string {
  return `${sentence(confidence)}: ${signs.for} ${signs.for === 1 ? "sign" : "signs"} for, ${signs.against} against, ${signs.unchecked} could not be checked`;
}

export interface Group {
  id: string;
  name: string;
  incidents: IncidentSummary[];
}

const WEEK = 7 * 86_400_000;

/** The list by state: what needs someone first, what is muted or over last. */
export function group(incidents: readonly IncidentSummary[], now: number): Group[] {
  // Times are read once and not at every comparison: the list may hold ten thousand.
  const read = incidents.map((of) => ({
    of,
    muted: isSilenced(of, now),
    rank: SEVERITIES.indexOf(severity(of.severity)),
    since: Date.parse(of.started_at ?? of.detected_at),
    over: Date.parse(of.resolved_at ?? of.detected_at),
  }));
  type Read = (typeof read)[number];
  const worst = (a: Read, b: Read) => a.rank - b.rank || b.since - a.since;
  const of = (state: string) => read.filter((i) => i.of.state === state && !i.muted).sort(worst);
  const over = read.filter((i) => i.of.state === "resolved").sort((a, b) => b.over - a.over);
  const recent = (i: Read) => now - i.over < WEEK;
  return [
    { id: "open", name: "Open", of: of("open") },
    { id: "acknowledged", name: "Acknowledged", of: of("acknowledged") },
    { id: "mitigated", name: "Mitigated, watching for recovery", of: of("mitigated") },
    { id: "week", name: "Resolved this week", of: over.filter(recent) },
    { id: "silenced", name: "Silenced", of: read.filter((i) => i.muted).sort(worst) },
    { id: "earlier", name: "Resolved earlier", of: over.filter((i) => !recent(i)) },
  ]
    .filter((g) => g.of.length > 0)
    .map((g) => ({ id: g.id, name: g.name, incidents: g.of.map((i) => i.of) }));
}

const ACTIONS: Record<string, string> = {
  rollout_undo: "Roll back",
  rollout_restart: "Restart",
  rollout_resume: "Resume the roll-out of",
  scale: "Scale",
  set_image: "Set the image of",
  set_resources: "Set the resources of",
  set_env: "Set the environment of",
  set_probe: "Change the probe of",
  set_service_selector: "Change the selector of",
  set_service_port: "Change the port of",
  set_ingress_backend: "Change the backend of",
  set_configmap_key: "Set a key in",
  create_configmap: "Create",
  create_secret: "Create",
  patch_labels: "Change the labels of",
  set_node_selector: "Change the node selector of",
  set_tolerations: "Change the tolerations of",
  set_affinity: "Change the affinity of",
  create_claim: "Create",
  expand_claim: "Expand",
  set_storage_class: "Set the storage class of",
  recreate_pod: "Recreate",
  rerun_job: "Run again",
  resume_cronjob: "Resume",
  uncordon: "Uncordon",
  drain: "Drain",
  remove_taint: "Remove a taint from",
  raise_quota: "Raise",
  set_limit_range: "Change",
  set_network_policy: "Change",
  grant_role: "Grant rights to",
  set_hpa: "Change",
  set_pdb: "Change",
  fix_webhook: "Put right",
  remove_finalizer: "Remove a finalizer from",
  patch: "Change",
  manual_check: "Check",
};

/** `Roll back Deployment checkout` */
export function actionTitle(action: ActionDto): string {
  return `${ACTIONS[action.kind] ?? sentence(action.kind)} ${action.target.kind} ${action.target.name}`;
}

/** The short word for the kind of an item. */
export function evidenceWord(kind: string): string {
  return (
    {
      container_status: "status",
      pod_status: "status",
      kube_event: "KubeEvents",
      object: "object",
      diff: "diff",
      node: "node",
      coverage: "coverage",
    }[kind] ?? kind.replaceAll("_", " ")
  );
}

/** The steps that are offered now: others are only spoken of. */
export function offered(incident: IncidentDto): IncidentDto["actions"] {
  return incident.actions.filter((a) => !a.withdrawn);
}

/** What an id such as `E7`, `C2` or `A1` stands for, for the chip that carries it. */
export function citation(incident: IncidentDto, id: string): { href: string; title: string } {
  const action = incident.actions.find((a) => a.id === id);
  if (action) {
    const href = address({ screen: "incident", id: incident.id, tab: "overview", item: null });
    return { href, title: `Step ${id}, ${actionTitle(action)}` };
  }
  const item = incident.evidence.find((e) => e.id === id);
  const change = incident.changes.find((c) => c.id === id);
  const title = item
    ? `Evidence ${id}, ${item.summary}`
    : change
      ? `Change ${id}, ${change.object.kind} ${change.object.name}: ${change.summary}`
      : `${id}, not in the record`;
  return { href: address({ screen: "incident", id: incident.id, tab: "evidence", item: id }), title };
}

export interface EvidenceGroup {
  name: string;
  items: { id: string; name: string; kind: string; at: string; reconstructed: boolean }[];
}

/** The list of items: what changed, what the pods said and showed, what stood around. */
export function evidenceGroups(incident: IncidentDto): EvidenceGroup[] {
  const of = (e: EvidenceDto) => ({
    id: e.id,
    name: e.summary,
    kind: evidenceWord(e.kind),
    at: e.at,
    reconstructed: e.observed === "reconstructed",
  });
  const is = (kinds: string[]) => (e: EvidenceDto) => kinds.includes(e.kind);
  const gone = ["container_status", "pod_status", "log", "kube_event"];
  const changed = incident.changes.map((c) => ({
    id: c.id,
    name: `${c.object.kind} ${c.object.name}: ${c.summary}`,
    kind: c.fields.length > 0 ? "diff" : "change",
    at: c.at,
    reconstructed: c.observed === "reconstructed",
  }));
  return [
    { name: "What changed", items: [...changed, ...incident.evidence.filter(is(["diff"])).map(of)] },
    { name: "From the pods", items: incident.evidence.filter(is(gone)).map(of) },
    { name: "Around it", items: incident.evidence.filter((e) => !is([...gone, "diff"])(e)).map(of) },
  ].filter((g) => g.items.length > 0);
}

/** What of the incident rests on an item, as words. */
export function citedBy(incident: IncidentDto, id: string): string[] {
  const has = (ids: readonly string[]) => ids.includes(id);
  const of = (n: number, one: string) => (n === 0 ? [] : [n === 1 ? one : `${n} ${one}s`]);
  const [first, ...others] = incident.causes;
  return [
    ...(first && has(first.evidence) ? ["cause"] : []),
    ...of(others.filter((c) => has(c.evidence)).length, "other cause"),
    ...of(incident.findings.filter((f) => has(f.evidence)).length, "finding"),
    ...of(incident.ruled_out.filter((r) => has(r.evidence)).length, "ruled-out cause"),
    ...of(incident.timeline.filter((e) => has(e.evidence)).length, "timeline entry").map((w) =>
      w.replace("entrys", "entries"),
    ),
  ];
}
