// What the palette finds: commands that can be run now, incidents, and the objects they are about.
import { CATALOGUE } from "./catalogue";
import { actionTitle, label, offered, place, word } from "./incidents/words";
import { objects } from "./incidents/objects";
import type { IncidentSummary } from "./ipc/types";
import { day } from "./shared/format";
import type { IconName } from "./shared/Icon.svelte";
import type { Desk } from "./state/desk.svelte";
import { NONE } from "./state/filter";
import { match } from "./state/fuzzy";

export interface Item {
  id: string;
  name: string;
  /** Places in the name that answer to what was typed. */
  at: number[];
  score: number;
  run: () => void;
  icon?: IconName;
  severity?: string;
  state?: string;
  keys?: string[] | undefined;
  hint?: string;
}
export interface Group {
  name: string;
  items: Item[];
}

/** Of each group, the nearest. */
const MOST = 8;

type Offer = Omit<Item, "at" | "score"> & { /** Found by these words too, which are not shown. */ also?: string };

function nearest(query: string, offers: Iterable<Offer>): Item[] {
  const found: Item[] = [];
  for (const { also, ...offer } of offers) {
    const shown = match(query, offer.name);
    const hidden = shown || !also ? null : match(query, `${offer.name} ${also}`);
    if (shown) found.push({ ...offer, ...shown });
    else if (hidden) found.push({ ...offer, score: hidden.score - 10, at: [] });
  }
  if (query.trim() !== "") found.sort((a, b) => b.score - a.score);
  return found.slice(0, MOST);
}

/** The incident that is open, or that the reading pane shows. */
function shown(d: Desk): string | null {
  const { route } = d.router;
  return route.screen === "incident" ? route.id : route.screen === "incidents" ? route.selected : null;
}

export function find(d: Desk, query: string): Group[] {
  const id = shown(d);
  const here = id ? d.inbox.byId(id) : undefined;
  const page = id ? d.pages.get(id).page : null;
  // The palette itself and its way out need no finding.
  const can = CATALOGUE.filter((e) => e.command !== "palette" && e.command !== "back" && d.commands.can(e.command));
  const commands = (mine: boolean) =>
    can
      .filter((e) => (e.part === "Anywhere" || e.part === "Lists") !== mine)
      .map((e): Offer => ({
        id: e.command,
        name: e.name,
        icon: e.icon,
        keys: e.keys.length > 0 ? e.keys : undefined,
        run: () => d.commands.run(e.command),
      }));
  const copies: Offer[] = (page ? offered(page.incident) : [])
    .filter((a) => a.command)
    .map((a, i) => ({
      id: `copy-${i}`,
      name: `Copy the command of step ${i + 1}: ${actionTitle(a)}`,
      also: a.command,
      icon: "copy",
      run: () => void d.copy(a.command, "Command"),
    }));

  const incident = (i: IncidentSummary): Offer => ({
    id: `incident-${i.id}`,
    name: `${label(i)} ${i.title}`,
    also: `${place(i)} ${i.subject_kind} ${i.subject_name} ${i.severity}`,
    ...(i.state === "resolved" ? { state: i.state } : { severity: i.severity }),
    hint: i.state === "resolved" ? day(i.resolved_at ?? i.detected_at, d.now) : word(i.state),
    run: () => {
      d.picked = i.id;
      d.router.go({ screen: "incident", id: i.id, tab: "overview", item: null });
    },
  });
  const open = d.inbox.incidents.filter((i) => i.state !== "resolved");
  const past = d.inbox.incidents.filter((i) => i.state === "resolved");

  const asked = query.trim() !== "";
  const groups = [
    { name: here ? label(here) : "This page", items: nearest(query, [...commands(true), ...copies]) },
    { name: "Incidents", items: nearest(query, open.map(incident)) },
    { name: "Past incidents", items: asked ? nearest(query, past.map(incident)) : [] },
    { name: "Objects", items: asked ? nearest(query, known(d, page?.incident ?? null)) : [] },
    { name: "Actions", items: nearest(query, commands(false)) },
  ].filter((g) => g.items.length > 0);
  if (!asked) return groups;
  // What was meant most likely stands first, whatever it is; of equals what can be done, then what is wrong now.
  const RANK = ["Objects", "Past incidents", "Incidents"];
  const first = (g: Group) => (g.items[0]?.score ?? 0) + (RANK.includes(g.name) ? RANK.indexOf(g.name) : RANK.length);
  return groups.sort((a, b) => first(b) - first(a));
}

/** Objects of the open incident lead to what is kept of them; all other subjects to their incidents. */
function known(d: Desk, incident: Parameters<typeof objects>[0] | null): Offer[] {
  const offers = new Map<string, Offer>();
  for (const o of incident ? objects(incident) : []) {
    const item = o.items[0];
    if (!incident || !item) continue;
    offers.set(`${incident.cluster}/${o.ref.namespace ?? ""}/${o.ref.kind}/${o.ref.name}`, {
      id: `object-${o.ref.kind}-${o.ref.namespace ?? ""}-${o.ref.name}`,
      name: `${o.ref.kind} ${o.ref.name}`,
      icon: "box",
      hint: `${label(incident)}, ${item}`,
      run: () => d.router.go({ screen: "incident", id: incident.id, tab: "evidence", item }),
    });
  }
  const counts = new Map<string, { of: IncidentSummary; count: number }>();
  for (const i of d.inbox.incidents) {
    const key = `${i.cluster}/${i.namespace ?? ""}/${i.subject_kind}/${i.subject_name}`;
    const before = counts.get(key);
    counts.set(key, { of: before?.of ?? i, count: (before?.count ?? 0) + 1 });
  }
  for (const [key, { of, count }] of counts) {
    if (offers.has(key)) continue;
    offers.set(key, {
      id: `subject-${key}`,
      name: `${of.subject_kind} ${of.subject_name}`,
      also: place(of),
      icon: "box",
      hint: `${place(of)}, ${count} ${count === 1 ? "incident" : "incidents"}`,
      run: () => {
        d.inbox.filter = { ...NONE, text: `${of.subject_kind} ${of.subject_name}` };
        d.router.go({ screen: "incidents", selected: null });
      },
    });
  }
  return [...offers.values()];
}
