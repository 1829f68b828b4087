// The other rows of the inbox and the clusters of the story.
import type { ClusterDto, CoverageSpan, IncidentDto, IncidentSummary, UnreadableKind } from "../types";
import { incident } from "./checkout";
import { at } from "./time";

type Row = [
  number: number,
  title: string,
  state: string,
  severity: string,
  cluster: string,
  namespace: string | null,
  kind: string,
  name: string,
  since: [string, number?],
  resolved?: [string, number],
];
const rows: Row[] = [
  [
    46,
    "CronJob thumbnail-gc failed 3 runs in a row",
    "acknowledged",
    "medium",
    "prod-eu",
    "media",
    "CronJob",
    "thumbnail-gc",
    ["00:00:07"],
  ],
  [
    45,
    "PersistentVolumeClaim reports-cache waits for a volume",
    "acknowledged",
    "low",
    "staging-eu",
    "reports",
    "PersistentVolumeClaim",
    "reports-cache",
    ["17:02:00", 11],
  ],
  [
    44,
    "ingress-nginx cannot pull its image",
    "mitigated",
    "high",
    "staging-eu",
    "ingress",
    "DaemonSet",
    "ingress-nginx",
    ["22:04:10", 11],
  ],
  [
    43,
    "search-indexer restarted 6 times: liveness probe",
    "resolved",
    "medium",
    "prod-eu",
    "search",
    "Deployment",
    "search-indexer",
    ["09:10:00", 10],
    ["09:52:00", 10],
  ],
  [
    42,
    "Node worker-3 was not ready",
    "resolved",
    "high",
    "prod-eu",
    null,
    "Node",
    "worker-3",
    ["14:20:00", 9],
    ["14:27:09", 9],
  ],
  [
    41,
    "HorizontalPodAutoscaler web cannot read metrics",
    "resolved",
    "low",
    "staging-eu",
    "web",
    "HorizontalPodAutoscaler",
    "web",
    ["08:00:00", 9],
    ["08:41:00", 9],
  ],
];

/** What is known of those whose cause is. */
const causes: Record<number, Partial<IncidentDto>> = {
  45: {
    verdict: "established",
    needs: [],
    causes: [
      {
        rank: 1,
        rule_id: "storage-class-missing",
        confidence: "established",
        signs: { for: 2, against: 0, unchecked: 0 },
        entity: {
          api_version: "storage.k8s.io/v1",
          kind: "StorageClass",
          namespace: null,
          name: "fast-ssd",
          uid: null,
        },
        referrer: {
          api_version: "v1",
          kind: "PersistentVolumeClaim",
          namespace: "reports",
          name: "reports-cache",
          uid: null,
        },
        field: "spec.storageClassName",
        statement:
          "PersistentVolumeClaim reports-cache asks for the storage class fast-ssd, which does not exist (not found).",
        evidence: [],
        needs: [],
      },
    ],
  },
};

export const others: IncidentDto[] = rows.map(
  ([number, title, state, severity, cluster, namespace, kind, name, since, end]) => ({
    ...incident,
    id: `01995f2a-7c00-7000-8000-0000000000${number}`,
    number,
    title,
    state,
    severity,
    cluster,
    subject: { api_version: "v1", kind, namespace, name, uid: null },
    started_at: at(...since),
    detected_at: at(...since),
    acknowledged_at: state === "acknowledged" ? at(...since) : null,
    mitigated_at: state === "mitigated" ? at("22:43:00", 11) : null,
    resolved_at: end ? at(...end) : null,
    recovered_by: end ? "itself" : null,
    verdict: "not_established",
    causes: [],
    needs: ["rights to read nodes", "a metrics source"],
    ruled_out: [{ statement: "Configuration: its ConfigMap has not changed since 4 Nov.", result: "no", evidence: [] }],
    findings: [],
    changes: [],
    actions: [],
    evidence: [],
    timeline: [
      {
        seq: 1,
        at: at(...since),
        until: null,
        kind: "state",
        label: "detected",
        text: `Afterwatch opened INC-${number}`,
        evidence: [],
        observed: "live",
        who: null,
      },
    ],
    revision: number,
    ...causes[number],
  }),
);

export function summary(i: IncidentDto): IncidentSummary {
  return {
    id: i.id,
    number: i.number,
    title: i.title,
    state: i.state,
    severity: i.severity,
    cluster: i.cluster,
    namespace: i.subject.namespace,
    subject_kind: i.subject.kind,
    subject_name: i.subject.name,
    started_at: i.started_at,
    detected_at: i.detected_at,
    resolved_at: i.resolved_at,
    merged_into: i.merged_into,
    cause: i.causes[0]?.statement ?? null,
    verdict: i.verdict,
    revision: i.revision,
    silenced_until: null,
  };
}

/** Spans of one kind with the gaps of the night between them. */
function spans(
  cluster: string,
  kind: string,
  to: string,
  open: boolean,
  how = "watch",
  namespace: string | null = null,
): CoverageSpan[] {
  const edges: [string, string, string | null][] = [
    [at("15:00:00", 11), at("19:05:00", 11), "sleep"],
    [at("21:40:00", 11), at("01:12:08"), "crash"],
    [at("01:19:44"), at("03:04:10"), "disconnect"],
    [at("03:06:38"), to, null],
  ];
  return edges
    .filter(([from]) => Date.parse(from) < Date.parse(to))
    .map(([from, end, ended_by]) => {
      const cut = Date.parse(end) >= Date.parse(to);
      return {
        cluster,
        kind,
        namespace,
        from,
        to: cut ? to : end,
        how,
        ended_by: cut ? (open ? null : "login_needed") : ended_by,
      };
    });
}

const cluster = (name: string, more: Partial<ClusterDto>): ClusterDto => ({
  name,
  file: "/home/mara/.kube/config",
  server: `https://${name}.k8s.acme.example:6443`,
  user: "mara@acme",
  namespace: null,
  current: false,
  watched: true,
  state: "connected",
  message: null,
  hint: null,
  problem: null,
  server_version: "v1.33.4",
  progress: null,
  objects: 2411,
  last_heard: null,
  unreadable: [],
  coverage: [],
  insecure: false,
  followed: null,
  mark: null,
  ...more,
});

const forbidden = (of: string, kind: string, message: string): UnreadableKind => ({
  cluster: of,
  kind,
  namespace: null,
  reason: "forbidden",
  message,
  since: at("21:40:00", 11),
});

const WATCHED = [
  "pods",
  "deployments",
  "replicasets",
  "statefulsets",
  "daemonsets",
  "jobs",
  "services",
  "endpointslices",
  "events",
  "configmaps",
  "secrets",
  "nodes",
  "persistentvolumeclaims",
];

export function clusters(now: number): ClusterDto[] {
  const heard = (s: number) => new Date(now - s * 1000).toISOString();
  return [
    cluster("prod-eu", {
      current: true,
      mark: "production",
      last_heard: heard(1),
      server: "https://10.20.0.10:6443",
      coverage: [
        ...WATCHED.flatMap((kind) => spans("prod-eu", kind, heard(1), true)),
        ...spans("prod-eu", "networkpolicies", heard(41), true, "poll"),
      ],
      unreadable: [
        forbidden(
          "prod-eu",
          "validatingwebhookconfigurations",
          'validatingwebhookconfigurations.admissionregistration.k8s.io is forbidden: User "mara@acme" cannot list resource at the cluster scope',
        ),
      ],
    }),
    cluster("staging-eu", {
      last_heard: heard(4),
      objects: 1641,
      coverage: WATCHED.filter((kind) => kind !== "nodes").flatMap((kind) =>
        spans("staging-eu", kind, heard(4), true, "watch", "web"),
      ),
      unreadable: [
        forbidden(
          "staging-eu",
          "nodes",
          'nodes is forbidden: User "mara@acme" cannot list resource "nodes" at the cluster scope',
        ),
      ],
    }),
    cluster("edge-lab", {
      state: "login_needed",
      user: "oidc-edge",
      message:
        "The sign-in program kubelogin wants a browser. Tried 3 times, then stopped: error: get-token: token expired",
      hint: "Run kubectl --context edge-lab get pods once in a terminal, then try again.",
      last_heard: at("18:02:11", 11),
      objects: 0,
      server_version: null,
      coverage: WATCHED.flatMap((kind) => spans("edge-lab", kind, at("18:02:11", 11), false)),
    }),
    cluster("acme-pre", { watched: false, state: "idle", server_version: null, objects: 0 }),
  ];
}
