// Where the person is, as an address: it survives a reload and gives the back key something to go back to.

export const TABS = ["overview", "timeline", "evidence", "postmortem"] as const;
export type Tab = (typeof TABS)[number];

export type Route =
  | { screen: "incidents"; selected: string | null }
  | { screen: "incident"; id: string; tab: Tab; item: string | null }
  | { screen: "clusters"; name: string | null };

/** `#/incidents`, `#/incidents/ID` (selected), `#/incident/ID/evidence/E6`, `#/clusters/NAME` */
export function address(route: Route): string {
  const parts =
    route.screen === "incidents"
      ? ["incidents", route.selected]
      : route.screen === "clusters"
        ? ["clusters", route.name]
        : ["incident", route.id, route.tab, route.item];
  return `#/${parts.flatMap((part) => (part === null ? [] : [encodeURIComponent(part)])).join("/")}`;
}

export function parse(hash: string): Route {
  const [screen, id, tab, item] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (screen === "clusters") return { screen, name: id || null };
  if (screen === "incident" && id) {
    return { screen, id, tab: TABS.find((known) => known === tab) ?? "overview", item: item || null };
  }
  return { screen: "incidents", selected: (screen === "incidents" && id) || null };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
