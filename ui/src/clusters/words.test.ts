import { describe, expect, it } from "vitest";
import { Fake } from "../ipc/fake";
import type { ClusterDto } from "../ipc/types";
import { kinds, reach } from "./kinds";
import { gaps, heard, kindName, standing, watchedSince } from "./words";

const now = Date.parse("2026-11-12T02:09:12Z");
const DAY = 86_400_000;
const page = await new Fake().clusters();
const of = (name: string): ClusterDto => page.clusters.find((c) => c.name === name) ?? expect.fail(name);

describe("a connection", () => {
  it("is spoken of in few words", () => {
    expect(heard(of("staging-eu"), now)).toBe("4 s ago");
    expect(standing(of("prod-eu"), now, false).text).toBe("watching, 1 s ago");
    expect(standing(of("edge-lab"), now, false).text).toBe("sign-in needed");
    expect(standing(of("acme-pre"), now, false).text).toBe("not watched");
    expect(standing(of("prod-eu"), now, true).text).toBe("paused");
    const followed = standing({ ...of("prod-eu"), state: "following", followed: "the app" }, now, false);
    expect(followed).toEqual({ icon: "eye", text: "recorded by the app", tone: "plain" });
    expect(standing({ ...of("prod-eu"), problem: "cluster is missing" }, now, false).text).toBe("entry is broken");
  });

  it("has its gaps with their causes, newest first, one that lasts until now", () => {
    expect(gaps(of("prod-eu"), now - DAY, now).map((g) => g.cause)).toEqual([
      "API server out of reach",
      "Afterwatch was killed",
      "the laptop slept",
    ]);
    const [last] = gaps(of("edge-lab"), now - DAY, now);
    expect(last).toMatchObject({ to: now, cause: "sign-in needed" });
  });

  it("has a gap from the end of an earlier run, however long ago that was", () => {
    const span = (from: number, to: number, ended_by: string | null) => ({
      cluster: "prod-eu",
      kind: "pods",
      namespace: null,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      how: "watch",
      ended_by,
    });
    const c = {
      ...of("prod-eu"),
      coverage: [span(now - 3 * DAY, now - 2 * DAY, "quit"), span(now - 60_000, now, null)],
    };
    expect(gaps(c, now - DAY, now)).toEqual([
      { from: now - 2 * DAY, to: now - 60_000, cause: "Afterwatch was not running" },
    ]);
  });

  it("counts as watched without a gap only since the last one", () => {
    expect(watchedSince([of("prod-eu"), of("staging-eu")])).toBe("2026-11-12T02:06:38.000Z");
    expect(watchedSince([])).toBeNull();
  });
});

describe("kinds", () => {
  it("are named as Kubernetes names them", () => {
    expect(
      [
        "pods",
        "events",
        "persistentvolumeclaims",
        "networkpolicies",
        "ingressclasses",
        "storageclasses",
        "widgets",
      ].map(kindName),
    ).toEqual([
      "Pods",
      "KubeEvents",
      "PersistentVolumeClaims",
      "NetworkPolicies",
      "IngressClasses",
      "StorageClasses",
      "Widgets",
    ]);
  });

  it("that cannot be read are listed last, with the reason, never left out", () => {
    const last = kinds(of("staging-eu"), now - DAY, now).at(-1);
    expect(last).toMatchObject({ kinds: ["nodes"], how: "not permitted", share: 0, heard: null });
  });

  it("of a family share a row only while they are read alike", () => {
    const names = (c: ClusterDto) => kinds(c, now - DAY, now).map((row) => row.name);
    expect(names(of("prod-eu")).slice(0, 3)).toEqual(["Pods", "Deployments, ReplicaSets", "StatefulSets, DaemonSets"]);
    const c = of("prod-eu");
    const cut = c.coverage.filter((s) => s.kind !== "replicasets" || Date.parse(s.from) > now - 3 * 3_600_000);
    expect(names({ ...c, coverage: cut }).slice(1, 3)).toEqual(["Deployments", "ReplicaSets"]);
  });

  it("have the share of the time shown in which they were recorded", () => {
    const span = (from: number, to: number) => ({
      cluster: "prod-eu",
      kind: "pods",
      namespace: null,
      from: new Date(now - from * 3_600_000).toISOString(),
      to: new Date(now - to * 3_600_000).toISOString(),
      how: "watch",
      ended_by: "quit",
    });
    const c = { ...of("prod-eu"), unreadable: [], coverage: [span(30, 20), span(12, 6)] };
    // 4 of the first span lie within the day, and 6 of the second: 10 of 24 hours.
    expect(kinds(c, now - DAY, now)).toMatchObject([{ share: 42, heard: now - 6 * 3_600_000 }]);
  });

  it("are counted with how far they are read", () => {
    expect(reach(of("prod-eu"))).toBe("14 kinds, whole cluster");
    expect(reach(of("staging-eu"))).toBe("12 kinds, 1 namespace");
    expect(reach(of("acme-pre"))).toBe("");
  });
});
