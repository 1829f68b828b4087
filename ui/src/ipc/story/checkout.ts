// INC-47, the incident every screen of the design tells of: a Helm upgrade lowers checkout's memory limit.
import type { ActionDto, ChangeDto, EvidenceDto, FindingDto, IncidentDto, ObjectRefDto, TimelineDto } from "../types";
import { at } from "./time";

const object = (
  kind: string,
  name: string,
  api_version = "apps/v1",
  namespace: string | null = "shop",
): ObjectRefDto => ({
  api_version,
  kind,
  namespace,
  name,
  uid: `${kind}-${name}`.toLowerCase(),
});

export const checkout = object("Deployment", "checkout");
const pod = (suffix: string) => object("Pod", `checkout-5f8b97c6d-${suffix}`, "v1");
const service = object("EndpointSlice", "checkout-x7k2p", "discovery.k8s.io/v1");

type Item = [
  id: string,
  kind: string,
  clock: string,
  object: ObjectRefDto,
  summary: string,
  observed?: string,
  truncated?: boolean,
];
const items: Item[] = [
  [
    "E1",
    "object",
    "02:54:06",
    object("Secret", "sh.helm.release.v1.checkout.v18", "v1"),
    "Helm release record, revision 18",
  ],
  ["E2", "diff", "02:54:07", checkout, "Deployment checkout: difference"],
  ["E3", "object", "02:54:09", object("ReplicaSet", "checkout-5f8b97c6d"), "ReplicaSet …-5f8b97c6d created"],
  ["E4", "object", "02:54:09", object("ReplicaSet", "checkout-5f8b97c6d"), "Image digests, both ReplicaSets"],
  ["E5", "pod_status", "02:56:12", pod("k2x7p"), "Pod …-k2x7p, last state: OOMKilled, exit 137"],
  ["E6", "log", "02:56:13", pod("k2x7p"), "Log before the kill, …-k2x7p", "live", true],
  ["E7", "pod_status", "02:56:31", pod("9wq4d"), "Pod …-9wq4d, last state: OOMKilled, exit 137"],
  ["E8", "log", "02:56:32", pod("9wq4d"), "Log before the kill, …-9wq4d", "live", true],
  ["E9", "pod_status", "02:57:03", pod("tz6mn"), "Pod …-tz6mn, last state: OOMKilled, exit 137"],
  ["E11", "object", "02:57:03", service, "EndpointSlice: 0 of 3 ready"],
  ["E12", "object", "02:56:14", checkout, "Container spec: heap flag, limit"],
  ["E13", "kube_event", "03:08:50", checkout, "KubeEvents of the checkout pods"],
  ["E14", "node", "02:56:40", object("Node", "worker-2", "v1", null), "Conditions of 3 nodes"],
  ["E16", "kube_event", "02:58:20", object("Deployment", "storefront"), "storefront readiness failing"],
  ["E18", "coverage", "03:06:41", checkout, "Re-list after the gap", "reconstructed"],
  ["E19", "object", "02:56:40", object("ConfigMap", "checkout-config", "v1"), "ConfigMap and Secret, versions"],
  ["E20", "object", "02:56:40", object("StatefulSet", "payments-db"), "payments-db, status"],
];
export const evidence: EvidenceDto[] = items.map(
  ([id, kind, clock, of, summary, observed = "live", truncated = false]) => ({
    id,
    kind,
    at: at(clock),
    observed,
    object: of,
    summary,
    truncated,
  }),
);

const log = [
  "02:56:10.884 INFO c.s.checkout.Rates     Fetched rate for SEK in 11 ms",
  "02:56:11.102 INFO c.s.http.Access        GET /healthz/ready 200 in 1 ms",
  "02:56:11.340 INFO c.s.http.Access        POST /v1/checkout 200 in 61 ms  Authorization: Bearer ‹removed: token›",
  "02:56:11.611 WARN c.s.checkout.HeapWatch Heap 171 MiB used of 384 MiB",
  "02:56:11.790 INFO c.s.http.Access        POST /v1/checkout 200 in 188 ms",
  "02:56:11.954 INFO c.s.http.Access        POST /v1/checkout 200 in 240 ms",
  "02:56:12.031 INFO c.s.http.Access        POST /v1/checkout 200 in 402 ms  coupon=<img src=x onerror=alert(1)>",
];
const early = Array.from({ length: 207 }, (_, i) => {
  const second = 58 + Math.floor(i / 15);
  const clock = `02:${second > 59 ? 56 : 55}:${String(second % 60).padStart(2, "0")}.${String((i * 67) % 1000).padStart(3, "0")}`;
  return `${clock} INFO c.s.http.Access        POST /v1/checkout 200 in ${30 + ((i * 37) % 90)} ms`;
});
const kubeEvent = (reason: string, pod: string, count: number, first: string, last: string, message: string): string =>
  [
    "type: Warning",
    `reason: ${reason}`,
    `object: Pod shop/${pod}`,
    `count: ${count}`,
    `first seen: ${at(first)}`,
    `last seen: ${at(last)}`,
    "reported by: kubelet",
    `message: ${message}`,
  ].join("\n");
export const excerpts: Record<string, string> = {
  E2: [
    " spec.template.spec.containers[checkout].resources",
    "-limits.memory: 512Mi",
    "+limits.memory: 192Mi",
    "-requests.memory: 384Mi",
    "+requests.memory: 192Mi",
  ].join("\n"),
  E5: [
    "state: waiting, CrashLoopBackOff",
    "last state: terminated",
    "  reason: OOMKilled",
    "  exit code: 137",
    "  finished: 02:56:12",
    "restarts: 6",
  ].join("\n"),
  E6: [...early, ...log].join("\n"),
  E8: log.join("\n"),
  E12: [
    "containers:",
    "- name: checkout",
    "  args: [-Xmx384m, -jar, checkout.jar]",
    "  resources:",
    "    limits:",
    "      memory: 192Mi",
  ].join("\n"),
  E13: kubeEvent(
    "BackOff",
    "checkout-5f8b97c6d-k2x7p",
    41,
    "02:56:13",
    "03:08:50",
    "Back-off restarting failed container checkout",
  ),
  E16: kubeEvent(
    "Unhealthy",
    "storefront-7c9d",
    57,
    "02:58:20",
    "03:09:02",
    "Readiness probe failed: HTTP probe failed with statuscode: 503",
  ),
};

export const changes: ChangeDto[] = [
  {
    id: "C2",
    object: checkout,
    at: at("02:54:07"),
    who: "helm",
    verb: "modified",
    summary: "memory limit 512Mi → 192Mi, request 384Mi → 192Mi",
    suspect: true,
    observed: "live",
    fields: [
      { path: "spec.template.spec.containers[checkout].resources.limits.memory", from: "512Mi", to: "192Mi" },
      { path: "spec.template.spec.containers[checkout].resources.requests.memory", from: "384Mi", to: "192Mi" },
    ],
  },
  {
    id: "C1",
    object: object("ConfigMap", "storefront-flags", "v1"),
    at: at("02:41:55"),
    who: "kubectl-edit",
    verb: "modified",
    summary: "key banner changed",
    suspect: false,
    observed: "live",
    fields: [{ path: "data.banner", from: "‹hash 5e1c›", to: "‹hash 90af›" }],
  },
];

const finding = (
  rule_id: string,
  of: ObjectRefDto,
  from: string,
  times: number,
  message: string,
  ids: string[],
): FindingDto => ({
  fingerprint: `${rule_id}/${of.kind}/${of.name}`.toLowerCase(),
  rule_id,
  object: of,
  severity: "critical",
  first_seen: at(from),
  last_seen: at("03:08:50"),
  count: times,
  message,
  evidence: ids,
  active: true,
});

const entry = (
  seq: number,
  clock: string,
  kind: string,
  text: string,
  ids: string[] = [],
  more: Partial<TimelineDto> = {},
): TimelineDto => ({
  seq,
  at: at(clock),
  until: null,
  kind,
  label: null,
  text,
  evidence: ids,
  observed: "live",
  who: null,
  ...more,
});

export const timeline: TimelineDto[] = [
  entry(1, "02:41:55", "change", "ConfigMap storefront-flags changed by kubectl-edit", ["C1"]),
  entry(2, "02:54:06", "change", "Helm release checkout went from revision 17 to 18 (chart 2.3.1 → 2.4.0)", ["E1"]),
  entry(
    3,
    "02:54:07",
    "change",
    "Deployment checkout: memory limit 512Mi → 192Mi, request 384Mi → 192Mi, by helm",
    ["C2", "E2"],
    { label: "trigger" },
  ),
  entry(4, "02:54:09", "change", "ReplicaSet checkout-5f8b97c6d created, roll-out of 3 pods began", ["E3"]),
  entry(5, "02:55:30", "recovery", "Roll-out complete: 3 of 3 pods ready", ["E3"]),
  entry(6, "02:56:12", "symptom", "Pod …-k2x7p killed for memory, exit 137", ["E5", "E6"], { label: "started" }),
  entry(7, "02:56:31", "symptom", "Pod …-9wq4d killed for memory, exit 137", ["E7", "E8"]),
  entry(8, "02:57:03", "symptom", "Pod …-tz6mn killed for memory; Service checkout has 0 of 3 endpoints ready", [
    "E9",
    "E11",
  ]),
  entry(9, "02:57:05", "state", "Afterwatch opened INC-47, Critical", ["E11"], { label: "detected" }),
  entry(10, "02:57:05", "notification", "One notification sent", []),
  entry(11, "02:58:20", "symptom", "storefront: readiness probe answers 503, 2 of 4 pods not ready", ["E16"]),
  ...["02:57:48", "02:58:32", "02:59:40", "03:01:21", "03:03:20"].map((clock, i) =>
    entry(12 + i, clock, "symptom", `Pod …-${["k2x7p", "9wq4d", "tz6mn"][i % 3]} killed for memory, exit 137`, ["E13"]),
  ),
  entry(17, "03:04:10", "gap", "API server out of reach", [], { until: at("03:06:38") }),
  entry(18, "03:05:51", "symptom", "Pod …-9wq4d killed for memory, exit 137", ["E18"], { observed: "reconstructed" }),
  entry(19, "03:06:41", "recovery", "prod-eu answers again, 2 items rebuilt", ["E18"], { observed: "reconstructed" }),
  entry(20, "03:08:12", "symptom", "Pod …-k2x7p killed for memory, exit 137", ["E13"]),
  entry(21, "03:08:50", "symptom", "Pod …-9wq4d killed for memory, exit 137", ["E13"]),
];

const action = (
  id: string,
  kind: string,
  command: string,
  because: string,
  risk: string,
  requires: string[],
  of = checkout,
): ActionDto => ({
  id,
  kind,
  applicable: true,
  target: of,
  because,
  risk,
  requires,
  command,
});

export const incident: IncidentDto = {
  id: "01995f2a-7c00-7000-8000-000000000047",
  number: 47,
  title: "checkout has no ready pods: all 3 are killed for exceeding 192Mi of memory",
  opened_by: "rule",
  state: "open",
  severity: "critical",
  cluster: "prod-eu",
  subject: checkout,
  started_at: at("02:56:12"),
  started_at_range: null,
  started_at_basis: "first container termination",
  detected_at: at("02:57:05"),
  acknowledged_at: null,
  mitigated_at: null,
  resolved_at: null,
  recovered_by: null,
  merged_into: null,
  times: {
    to_detect_s: 53,
    to_acknowledge_s: null,
    to_mitigate_s: null,
    to_resolve_s: null,
    basis: { to_detect: "known", to_acknowledge: "pending", to_mitigate: "pending", to_resolve: "pending" },
    to_detect_range_s: null,
    to_mitigate_range_s: null,
    to_resolve_range_s: null,
  },
  verdict: "established",
  causes: [
    {
      rank: 1,
      rule_id: "memory-limit-too-low",
      confidence: "established",
      signs: { for: 5, against: 0, unchecked: 1 },
      entity: checkout,
      referrer: null,
      field: "spec.template.spec.containers[checkout].resources.limits.memory",
      statement:
        "helm lowered the memory limit of container checkout from 512Mi to 192Mi at 02:54:07. Its Java heap may grow to 384 MiB, so each pod is killed soon after it starts.",
      evidence: ["C2", "E2", "E5", "E7", "E9", "E12"],
      needs: ["memory use before the kills (no metrics source)", "who ran the upgrade"],
    },
  ],
  needs: [],
  ruled_out: [
    { statement: "New image: both ReplicaSets run the same digest.", result: "no", evidence: ["E4"] },
    {
      statement: "Node short of memory: MemoryPressure is False on worker-2, -4, -5.",
      result: "no",
      evidence: ["E14"],
    },
    {
      statement: "Configuration: its ConfigMap and Secret have not changed since 4 Nov.",
      result: "no",
      evidence: ["E19"],
    },
    { statement: "Database: payments-db is ready 2 of 2, no restarts.", result: "no", evidence: ["E20"] },
    {
      statement: "More traffic than usual: needs request metrics, which no source gives.",
      result: "open",
      evidence: [],
    },
  ],
  findings: [
    finding(
      "container-oom-killed",
      pod("k2x7p"),
      "02:56:12",
      6,
      "Container checkout was killed for exceeding 192Mi of memory, exit 137.",
      ["E5", "E7", "E9"],
    ),
    finding("crash-loop", pod("9wq4d"), "02:56:31", 14, "Container checkout waits in CrashLoopBackOff.", ["E13"]),
    finding("service-without-endpoints", service, "02:57:03", 1, "Service checkout has 0 of 3 endpoints ready.", [
      "E11",
    ]),
    finding(
      "readiness-failing",
      object("Deployment", "storefront"),
      "02:58:20",
      57,
      "storefront is ready in 2 of 4 pods: its readiness probe answers 503.",
      ["E16"],
    ),
  ],
  changes,
  actions: [
    action(
      "A1",
      "rollout_undo",
      "kubectl --context prod-eu -n shop rollout undo deployment/checkout --to-revision=30",
      "Restores 512Mi.",
      "3 pods restart, reversible.",
      ["patch deployments.apps"],
    ),
    action(
      "A2",
      "set_resources",
      "kubectl --context prod-eu -n shop set resources deployment/checkout -c checkout --limits=memory=512Mi",
      "Same effect, keeps the rest of chart 2.4.0.",
      "3 pods restart.",
      ["patch deployments.apps"],
    ),
    {
      ...action(
        "A3",
        "manual_check",
        "helm --kube-context prod-eu -n shop upgrade checkout --reuse-values --set resources.limits.memory=512Mi",
        "Until the chart value is corrected, the next Helm upgrade sets 192Mi again.",
        "",
        [],
      ),
      applicable: false,
    },
  ],
  evidence,
  timeline,
  notifications: 1,
  ticket: null,
  revision: 210,
};

/** The same incident the morning after. */
export function resolved(): IncidentDto {
  return {
    ...incident,
    title: "checkout had no ready pods from 02:57:03 to 03:14:51: all 3 were killed for memory",
    state: "resolved",
    acknowledged_at: at("03:09:30"),
    mitigated_at: at("03:14:51"),
    resolved_at: at("03:25:20"),
    recovered_by: "C3",
    times: {
      ...incident.times,
      to_acknowledge_s: 745,
      to_mitigate_s: 1119,
      to_resolve_s: 1748,
      basis: { to_detect: "known", to_acknowledge: "known", to_mitigate: "known", to_resolve: "known" },
    },
    changes: [
      ...changes,
      {
        id: "C3",
        object: checkout,
        at: at("03:14:02"),
        who: "kubectl-rollout",
        verb: "modified",
        summary: "memory limit 192Mi → 512Mi",
        suspect: false,
        observed: "live",
        fields: [
          { path: "spec.template.spec.containers[checkout].resources.limits.memory", from: "192Mi", to: "512Mi" },
        ],
      },
    ],
    findings: incident.findings.map((f) => ({ ...f, active: false })),
    timeline: [
      ...timeline,
      entry(22, "03:09:30", "state", "Acknowledged", [], { label: "acknowledged", who: "mara" }),
      entry(23, "03:12:40", "note", "Rolling back, the chart can wait until morning", [], { who: "mara" }),
      entry(24, "03:14:02", "change", "Deployment checkout: memory limit 192Mi → 512Mi, by kubectl-rollout", ["E2"]),
      entry(25, "03:14:51", "recovery", "checkout is ready again, 3 of 3 pods", ["E11"], { label: "mitigated" }),
      entry(26, "03:25:20", "state", "10 minutes without a restart", [], { label: "resolved" }),
    ],
    revision: 260,
  };
}
