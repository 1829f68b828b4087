// A part of the rules, as the program tells of them.
import type { RuleDto } from "../types";

const often = { means: "tells of a container that has ended at least", unit: "times", usual: 1, least: 1, most: 100 };
const thresholds: Record<string, RuleDto["threshold"]> = {
  "container-crash-loop": { ...often, set: null },
  "container-oom-killed": { ...often, set: null },
  "job-failed": { means: "a Job that failed is told of for", unit: "hours", usual: 6, least: 1, most: 168, set: 24 },
};

const rows: [id: string, means: string, source: string, reads: string[]][] = [
  [
    "container-config-error",
    "A container cannot be made from its configuration: a missing ConfigMap, Secret or key, or a refused security setting.",
    "kubelet: CreateContainerConfigError, CreateContainerError",
    ["Pod", "ConfigMap", "Secret"],
  ],
  [
    "container-crash-loop",
    "A container ends with an error again and again.",
    "kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle: container restarts; since 1.35 the state stays `terminated` during the back-off",
    ["Pod"],
  ],
  [
    "container-oom-killed",
    "A container was killed for exceeding its memory limit.",
    "kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource; on cgroup v1 the exit code may be 1",
    ["Pod"],
  ],
  [
    "image-pull-failing",
    "The image of a container cannot be pulled.",
    "kubelet: ErrImagePull, ImagePullBackOff, InvalidImageName, ErrImageNeverPull; the text is containerd's",
    ["Pod"],
  ],
  [
    "service-without-endpoints",
    "A Service has a selector and no ready endpoint.",
    "kubernetes.io/docs/tasks/debug/debug-application/debug-service",
    ["Service", "EndpointSlice", "Pod"],
  ],
  [
    "node-not-ready",
    "A node does not report that it is ready.",
    "kubernetes.io/docs/concepts/architecture/nodes: condition Ready False or Unknown",
    ["Node"],
  ],
  [
    "readiness-failing",
    "A running container does not pass its readiness probe within the probe's own budget.",
    "kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes",
    ["Pod", "KubeEvent"],
  ],
  [
    "pod-unschedulable",
    "No node takes the pod.",
    "kube-scheduler: condition PodScheduled=False, reason Unschedulable; messages of the scheduler's plugins",
    ["Pod", "Node"],
  ],
  [
    "claim-pending",
    "A PersistentVolumeClaim gets no volume.",
    "kubernetes.io/docs/concepts/storage/persistent-volumes; events ProvisioningFailed, FailedBinding",
    ["PersistentVolumeClaim", "StorageClass"],
  ],
  [
    "job-failed",
    "A Job gave up: its back-off limit or its deadline is reached.",
    "kubernetes.io/docs/concepts/workloads/controllers/job#pod-backoff-failure-policy",
    ["Job"],
  ],
];

export const rules: RuleDto[] = rows.map(([id, means, source, reads]) => ({
  id,
  means,
  source,
  reads,
  on: true,
  hold_s: null,
  threshold: thresholds[id] ?? null,
}));
