import { expect, it } from "vitest";
import { address, parse, type Route } from "./route";

it.each<Route>([
  { screen: "incidents", selected: null },
  { screen: "incidents", selected: "0198-a" },
  { screen: "incident", id: "0198-a", tab: "overview", item: null },
  { screen: "incident", id: "0198-a", tab: "evidence", item: "E6" },
  { screen: "clusters", name: "arn:aws:eks:eu-1:1:cluster/prod" },
  { screen: "history" },
  { screen: "settings", section: "rules" },
  { screen: "about" },
])("an address leads back to where it was made: %o", (route) => expect(parse(address(route))).toEqual(route));

it("an address that means nothing leads to the incidents", () => {
  for (const hash of ["", "#", "#/nowhere", "#/incident", "#/%"]) {
    expect(parse(hash)).toEqual({ screen: "incidents", selected: null });
  }
});

it("settings that are not there lead to the notifications", () => {
  for (const hash of ["#/settings", "#/settings/horoscope"]) {
    expect(parse(hash)).toEqual({ screen: "settings", section: "notifications" });
  }
});
