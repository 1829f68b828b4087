import { Channel, invoke, type InvokeArgs } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { getCurrentWebview } from "@tauri-apps/api/webview";
import { asError, type Backend } from "./backend";
import type { AppEvent, WritingStep } from "./types";

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
  inbox: (offset) => call("inbox", { offset }),
  incidentPage: (id) => call("incident_page", { id }),
  evidenceItem: (id, evidence) => call("evidence_item", { id, evidence }),
  acknowledge: (id) => call("acknowledge", { id }),
  resolve: (id, reason) => call("resolve", { id, reason }),
  reopen: (id) => call("reopen", { id }),
  addEntry: (id, text) => call("add_entry", { id, text }),
  saveNotes: (id, text) => call("save_notes", { id, text }),
  notesHistory: (id) => call("notes_history", { id }),
  mergeIncidents: (into, others) => call("merge_incidents", { into, others }),
  splitIncident: (id, findings) => call("split_incident", { id, findings }),
  notAnIncident: (id, reason) => call("not_an_incident", { id, reason }),
  deleteIncident: (id) => call("delete_incident", { id }),
  setTicket: (id, url) => call("set_ticket", { id, url }),
  silence: (id, minutes, reason) => call("silence", { id, minutes, reason }),
  silences: () => call("silences"),
  unsilence: (silence) => call("unsilence", { silence }),
  postmortem: (id) => call("postmortem", { id }),
  savePostmortem: (id, markdown, origin) => call("save_postmortem", { id, markdown, origin }),
  previewPostmortem: (id, markdown) => call("preview_postmortem", { id, markdown }),
  postmortemVersions: (id) => call("postmortem_versions", { id }),
  setPostmortemStatus: (id, status) => call("set_postmortem_status", { id, status }),
  setPostmortemShape: (id, shape) => call("set_postmortem_shape", { id, shape }),
  postmortemSection: (id, section) => call("postmortem_section", { id, section }),
  exportPostmortem: (id, markdown, format, frontMatter) =>
    call("export_postmortem", { id, markdown, format, frontMatter }),
  openExported: (path) => call("open_exported", { path }),
  showExported: (path) => call("show_exported", { path }),
  chatSummary: (id, markdown) => call("chat_summary", { id, markdown }),
  saveMarkdownFile: (id, markdown) => call("save_markdown_file", { id, markdown }),
  copyText: (text) => call("copy_text", { text }),
  clusters: () => call("clusters"),
  watchCluster: (name, watched) => call("watch_cluster", { name, watched }),
  retryCluster: (name) => call("retry_cluster", { name }),
  setPaused: (paused) => call("set_paused", { paused }),
  reloadEnvironment: () => call("reload_environment"),
  workloadChoices: (text) => call("workload_choices", { text }),
  inspectWorkload: (cluster, kind, namespace, name, writingId) =>
    call("inspect_workload", { cluster, kind, namespace, name, writingId }),
  setClusterMark: (name, mark) => call("set_cluster_mark", { name, mark }),
  history: (query) => call("history", { query }),
  historyInsights: (query) => call("history_insights", { query }),
  settings: () => call("settings"),
  setNotifications: (notifications) => call("set_notifications", { notifications }),
  setRule: (id, on, holdS, threshold) => call("set_rule", { id, on, holdS, threshold }),
  ignore: (request) => call("ignore", { request }),
  unignore: (id) => call("unignore", { id }),
  setRetention: (retention) => call("set_retention", { retention }),
  setAppearance: (appearance) => call("set_appearance", { appearance }),
  testNotification: () => call("test_notification"),
  backUp: () => call("back_up"),
  openDataFolder: () => call("open_data_folder"),
  diagnostics: () => call("diagnostics"),
  setUnsaved: (unsaved) => call("set_unsaved", { unsaved }),
  autostart: () => call("autostart"),
  setAutostart: (on) => call("set_autostart", { on }),
  drills: () => call("drills"),
  startDrill: (name, speed) => call("start_drill", { name, speed }),
  leaveDrill: () => call("leave_drill"),
  ask: (id, question, useModel, writingId, onStep) =>
    call("ask", { id, question, useModel, writingId, onStep: new Channel<WritingStep>(onStep) }),
  cancelWriting: (writingId) => call("cancel_writing", { writingId }),
  exchanges: (id) => call("exchanges", { id }),
  forgetExchange: (id, exchange) => call("forget_exchange", { id, exchange }),
  advise: (id, useModel, writingId, onStep) =>
    call("advise", { id, useModel, writingId, onStep: new Channel<WritingStep>(onStep) }),
  wordSection: (id, section, useModel, writingId, onStep) =>
    call("word_section", { id, section, useModel, writingId, onStep: new Channel<WritingStep>(onStep) }),
  modelState: () => call("model_state"),
  models: () => call("models"),
  importModel: (path) => call("import_model", { path }),
  downloadModel: (id) => call("download_model", { id }),
  cancelModelJob: () => call("cancel_model_job"),
  removeModel: (id) => call("remove_model", { id }),
  chooseModel: (id) => call("choose_model", { id }),
  testModel: (id) => call("test_model", { id }),
  setModelServer: (url, model, key) => call("set_model_server", { url, model, key }),
  forgetModelServer: () => call("forget_model_server"),
  chooseModelServer: () => call("choose_model_server"),
  tryModelServer: (url, model, key) => call("try_model_server", { url, model, key }),
  listenDrops: (receive) =>
    getCurrentWebview().onDragDropEvent(({ payload }) => {
      if (payload.type === "drop") receive({ type: "drop", paths: payload.paths });
      else receive({ type: payload.type === "leave" ? "leave" : "over" });
    }),
  appInfo: () => call("app_info"),
  listen: (receive) => listen<AppEvent>(APP_EVENT, (event) => receive(event.payload)),
  now: () => Date.now(),
};
