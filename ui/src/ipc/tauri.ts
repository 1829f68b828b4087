import { invoke, type InvokeArgs } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { asError, type Backend } from "./backend";
import type { AppEvent } from "./types";

/** The name under which the program sends changes (`APP_EVENT` in the contract). */
const APP_EVENT = "afterwatch://event";

async function call<T>(command: string, args?: InvokeArgs): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (thrown) {
    throw asError(thrown);
  }
}

export const tauri: Backend = {
  inbox: () => call("inbox"),
  incidentPage: (id) => call("incident_page", { id }),
  evidenceItem: (id, evidence) => call("evidence_item", { id, evidence }),
  acknowledge: (id) => call("acknowledge", { id }),
  resolve: (id, reason) => call("resolve", { id, reason }),
  reopen: (id) => call("reopen", { id }),
  addEntry: (id, text) => call("add_entry", { id, text }),
  saveNotes: (id, text) => call("save_notes", { id, text }),
  silence: (id, minutes, reason) => call("silence", { id, minutes, reason }),
  silences: () => call("silences"),
  unsilence: (silence) => call("unsilence", { silence }),
  postmortem: (id) => call("postmortem", { id }),
  savePostmortem: (id, markdown) => call("save_postmortem", { id, markdown }),
  renderMarkdown: (markdown) => call("render_markdown", { markdown }),
  saveMarkdownFile: (id, markdown) => call("save_markdown_file", { id, markdown }),
  copyText: (text) => call("copy_text", { text }),
  clusters: () => call("clusters"),
  watchCluster: (name, watched) => call("watch_cluster", { name, watched }),
  retryCluster: (name) => call("retry_cluster", { name }),
  setPaused: (paused) => call("set_paused", { paused }),
  reloadEnvironment: () => call("reload_environment"),
  setUnsaved: (unsaved) => call("set_unsaved", { unsaved }),
  autostart: () => call("autostart"),
  setAutostart: (on) => call("set_autostart", { on }),
  appInfo: () => call("app_info"),
  listen: (receive) => listen<AppEvent>(APP_EVENT, (event) => receive(event.payload)),
  now: () => Date.now(),
};
