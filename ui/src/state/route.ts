// Where the person is, as an address: it survives a reload and gives the back key something to go back to.

export const TABS = ["overview", "timeline", "evidence", "postmortem"] as const;
export type Tab = (typeof TABS)[number];

/** The parts of the settings, in their order. */
export const SECTIONS = ["models", "notifications", "rules", "watching", "recording", "privacy", "appearance"] as const;
export type SettingsSection = (typeof SECTIONS)[number];

export type Route =
  | { screen: "incidents"; selected: string | null }
  | { screen: "incident"; id: string; tab: Tab; item: string | null }
  | { screen: "history" }
  | { screen: "clusters"; name: string | null }
  | { screen: "settings"; section: SettingsSection }
  | { screen: "about" };

/** `#/incidents`, `#/incidents/ID` (selected), `#/incident/ID/evidence/E6`, `#/clusters/NAME`, `#/settings/rules` */
export function address(route: Route): string {
  const parts = partsOf(route);
  return `#/${parts.flatMap((part) => (part === null ? [] : [encodeURIComponent(part)])).join("/")}`;
}

function partsOf(route: Route): (string | null)[] {
  switch (route.screen) {
    case "incidents":
      return ["incidents", route.selected];
    case "incident":
      return ["incident", route.id, route.tab, route.item];
    case "clusters":
      return ["clusters", route.name];
    case "settings":
      return ["settings", route.section];
    default:
      return [route.screen];
  }
}

export function parse(hash: string): Route {
  const [screen, id, tab, item] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (screen === "clusters") return { screen, name: id || null };
  if (screen === "history" || screen === "about") return { screen };
  if (screen === "settings") return { screen, section: SECTIONS.find((known) => known === id) ?? "notifications" };
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
