import { expect, it } from "vitest";
import { Fake } from "../ipc/fake";
import { getLine, objects } from "./objects";

const night = async () => (await new Fake().incidentPage("47")).incident;

it("names each object once, what must be changed first, with what is kept of it", async () => {
  const all = objects(await night());
  expect(all[0]).toMatchObject({ role: "cause", ref: { kind: "Deployment", name: "checkout" } });
  expect(all[0]?.items).toEqual(["C2", "E2", "E12", "E13", "E18"]);
  const names = all.map((o) => `${o.ref.kind} ${o.ref.name}`);
  expect(new Set(names).size).toBe(names.length);
  expect(all.find((o) => o.ref.name === "storefront")?.role).toBe("hurt");
  expect(all.find((o) => o.ref.name === "payments-db")?.role).toBe("looked at");
});

it("shows an object by a line any shell takes as it is", async () => {
  const { subject } = await night();
  expect(getLine("prod-eu", subject)).toBe("kubectl --context prod-eu -n shop get deployment.apps checkout -o yaml");
  expect(getLine("it's; rm", { ...subject, api_version: "v1", kind: "Node", namespace: null })).toBe(
    `kubectl --context 'it'\\''s; rm' get node checkout -o yaml`,
  );
});
