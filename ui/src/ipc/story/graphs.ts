// The objects around the faults of the story, by the incident's number.
import type { GraphDto, GraphEdgeDto, GraphNodeDto, ObjectRefDto } from "../types";
import { at } from "./time";

const API: Record<string, string> = {
  Deployment: "apps/v1",
  DaemonSet: "apps/v1",
  Ingress: "networking.k8s.io/v1",
  StorageClass: "storage.k8s.io/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
};
const EVERYWHERE = ["Node", "StorageClass", "PersistentVolume"];

function object(namespace: string, label: string): ObjectRefDto {
  const [kind = "", name = ""] = label.split(" ");
  const ns = EVERYWHERE.includes(kind) ? null : namespace;
  return { api_version: API[kind] ?? "v1", kind, namespace: ns, name, uid: `${kind}-${name}`.toLowerCase() };
}

type Node = [role: string, label: string, state: string, ill?: boolean, pods?: [count: number, owner: string]];

function node(namespace: string, [role, label, state, ill = false, pods]: Node): GraphNodeDto {
  const missing = state === "does not exist";
  const owner = pods ? object(namespace, pods[1]) : null;
  const told = pods && pods[0] > 1 ? `${pods[0]} pods of ${owner?.name}` : label;
  const of = object(namespace, label);
  return {
    object: missing ? { ...of, uid: null } : of,
    owner,
    role,
    label: told,
    state,
    count: pods?.[0] ?? 1,
    ill: ill || missing,
    missing,
  };
}

type Edge = [from: number, word: string, to: number, detail?: string, broken?: boolean];

function graph(clock: [string, number?], namespace: string, nodes: Node[], edges: Edge[], left_out = 0): GraphDto {
  const all = nodes.map((n) => node(namespace, n));
  const edge = ([from, word, to, detail, broken = false]: Edge): GraphEdgeDto => ({
    from,
    to,
    relation: word.replaceAll(" ", "_"),
    word,
    sentence: [all[from]?.label, word === "of class" ? "is of" : word, detail, all[to]?.label]
      .filter(Boolean)
      .join(" "),
    broken,
  });
  return { at: at(...clock), nodes: all, edges: edges.map(edge), left_out };
}

export const graphs = new Map<number, GraphDto>([
  [
    47,
    graph(
      ["02:57:05"],
      "shop",
      [
        ["cause", "Deployment checkout", "0 of 3 ready", true],
        ["symptom", "Pod checkout-5f8b97c6d-k2x7p", "3 not ready: CrashLoopBackOff", true, [3, "Deployment checkout"]],
        ["symptom", "Service checkout", "0 of 3 ready", true],
        ["symptom", "Deployment storefront", "2 of 4 ready", true],
        ["beside", "Ingress shop-front", "shop.acme.example"],
        ["beside", "ConfigMap checkout-config", "12 keys"],
        ["beside", "Secret checkout-database", ""],
        ["beside", "Service payments-db", "2 endpoints"],
        ["beside", "Node worker-2", "ready"],
      ],
      [
        [0, "owns", 1],
        [2, "selects", 0],
        [3, "names host", 2, "checkout of"],
        [4, "sends to", 2, "shop.acme.example/cart (port 80) to"],
        [0, "reads", 5, "JAVA_OPTS, LOG_LEVEL and 10 more from"],
        [0, "reads", 6, "PASSWORD from"],
        [0, "names host", 7, "payments-db of"],
        [1, "runs on", 8],
      ],
      4,
    ),
  ],
  [
    45,
    graph(
      ["17:02:20", 11],
      "reports",
      [
        ["cause", "StorageClass fast-ssd", "does not exist"],
        ["subject", "PersistentVolumeClaim reports-cache", "Pending", true],
        ["symptom", "Pod reports-7c9d5b6f4-lm2vw", "Unschedulable", true, [1, "Deployment reports"]],
        ["beside", "Deployment reports", "0 of 1 ready", true],
        ["beside", "Service reports", "no endpoints", true],
        ["beside", "Ingress reports", "reports.acme.example"],
      ],
      [
        [1, "of class", 0, undefined, true],
        [3, "mounts", 1],
        [3, "owns", 2],
        [4, "selects", 3],
        [5, "sends to", 4],
      ],
    ),
  ],
]);
