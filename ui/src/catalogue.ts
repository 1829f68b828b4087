// Every command with its name and its keys, once: for the palette and for the sheet of keys.
import type { IconName } from "./shared/Icon.svelte";
import type { Command } from "./state/keys";

export type Part = "Anywhere" | "Lists" | "Incident" | "Timeline and evidence";

export interface Entry {
  command: Command;
  name: string;
  part: Part;
  /** As they stand on the keys; pressed together, or for G one after the other. */
  keys: string[];
  icon: IconName;
}

const MAC = typeof navigator !== "undefined" && /mac/i.test(navigator.platform);
/** The key beside the letter, as this system names it. */
export const CTRL = MAC ? "⌘" : "Ctrl";

const of = (part: Part, command: Command, name: string, keys: string, icon: IconName): Entry => ({
  command,
  name,
  part,
  keys: keys === "" ? [] : keys.split(" "),
  icon,
});

export const CATALOGUE: readonly Entry[] = [
  of("Anywhere", "palette", "Search or run a command", `${CTRL} K`, "search"),
  of("Anywhere", "inspect", "Look into a workload…", "", "eye"),
  of("Anywhere", "keys", "Sheet of keys", "?", "keyboard"),
  of("Anywhere", "go-incidents", "Go to Incidents", "G I", "list"),
  of("Anywhere", "go-history", "Go to History", "G H", "history"),
  of("Anywhere", "go-clusters", "Go to Clusters", "G C", "server"),
  of("Anywhere", "go-settings", "Go to Settings", "G S", "settings"),
  of("Anywhere", "go-models", "Choose a model", "", "settings"),
  of("Anywhere", "page-back", "Back to the page before", "Alt ←", "arrow-left"),
  of("Anywhere", "page-forward", "Forward again", "Alt →", "corner-down-left"),
  of("Anywhere", "next-region", "Next part of the window", "F6", "keyboard"),
  of("Anywhere", "previous-region", "Part of the window before", "Shift F6", "keyboard"),
  of("Anywhere", "larger", "Everything larger", `${CTRL} +`, "plus"),
  of("Anywhere", "smaller", "Everything smaller", `${CTRL} −`, "minus"),
  of("Anywhere", "real-size", "Everything at its usual size", `${CTRL} 0`, "search"),
  of("Anywhere", "back", "Stop, close, back", "Esc", "arrow-left"),
  of("Lists", "next", "Next", "J", "chevron-down"),
  of("Lists", "previous", "Previous", "K", "chevron-down"),
  of("Lists", "open", "Open", "↵", "corner-down-left"),
  of("Lists", "filter", "Filter this list", "/", "list-filter"),
  of("Lists", "select", "Choose for merging or exporting", "X", "check"),
  of("Incident", "acknowledge", "Acknowledge", "A", "check"),
  of("Incident", "silence", "Silence…", "M", "bell-off"),
  of("Incident", "notes", "Edit notes", "E", "pencil"),
  of("Incident", "entry", "Add entry…", "N", "plus"),
  of("Incident", "ask", "Ask about this incident", `${CTRL} J`, "message-square-text"),
  of("Incident", "explain", "Explain the next steps", "", "message-square-text"),
  of("Incident", "tab-1", "Overview", "1", "list"),
  of("Incident", "tab-2", "Timeline", "2", "list"),
  of("Incident", "tab-3", "Evidence", "3", "list"),
  of("Incident", "tab-4", "Post-mortem", "4", "list"),
  of("Incident", "save", "Save the post-mortem now", `${CTRL} S`, "check"),
  of("Incident", "export-pdf", "Write the post-mortem as PDF…", `${CTRL} Shift P`, "file-text"),
  of("Incident", "resolve", "Resolve…", "", "circle-check"),
  of("Incident", "reopen", "Reopen", "", "rotate-cw"),
  of("Incident", "merge", "Merge…", "", "merge"),
  of("Incident", "split", "Split off…", "", "split"),
  of("Incident", "not-incident", "Not an incident…", "", "ban"),
  of("Incident", "ticket", "Ticket link…", "", "link"),
  of("Incident", "delete", "Delete…", "", "trash-2"),
  of("Timeline and evidence", "next-gap", "Next gap", "G G", "minus"),
  of("Timeline and evidence", "cite", "Cite in notes or post-mortem", "C", "pencil"),
  of("Timeline and evidence", "lanes-in", "Zoom in on the time axis", "+", "plus"),
  of("Timeline and evidence", "lanes-out", "Zoom out", "−", "minus"),
  of("Timeline and evidence", "lanes-whole", "Show the whole time axis", "0", "search"),
];
