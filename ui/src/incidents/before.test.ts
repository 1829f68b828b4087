import { expect, it } from "vitest";
import { Fake } from "../ipc/fake";
import { before, ordinal } from "./before";

it("knows earlier incidents of the same workload, and no others", async () => {
  const fake = new Fake();
  const { incident } = await fake.incidentPage("47");
  const { incidents } = await fake.inbox(0);
  const [like] = incidents;
  if (!like) throw new Error("no incident");
  const same = (number: number, more = {}) => ({ ...like, id: String(number), number, ...more });
  const all = [
    ...incidents,
    same(12),
    same(31),
    same(50),
    same(20, { cluster: "staging-eu" }),
    same(21, { merged_into: like.id }),
    same(22, { subject_name: "storefront" }),
  ];
  expect(before(incident, all).map((i) => i.number)).toEqual([31, 12]);
});

it("counts as people do", () => {
  expect([1, 2, 3, 4, 11, 12, 21, 112].map(ordinal)).toEqual([
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "21st",
    "112th",
  ]);
});
