import { getContext, setContext } from "svelte";
import { asError, type Backend } from "../ipc/api";
import type { AppEvent, AppInfo } from "../ipc/types";
import { Appearance } from "./appearance.svelte";
import { Clock } from "./clock.svelte";
import { Commands } from "./commands";
import { storyTime } from "./drill";
import { ClustersStore } from "./clusters.svelte";
import { HistoryStore } from "./history.svelte";
import { InboxStore } from "./inbox.svelte";
import { ModelsStore } from "./models.svelte";
import { Pages } from "./pages.svelte";
import { Router } from "./router.svelte";
import { SettingsStore } from "./settings.svelte";
import { Unsaved } from "./unsaved";
import { Voice } from "./voice.svelte";

const KEY = Symbol("desk");

/** Everything the window holds, in one place; components reach it with `desk()`. */
export class Desk {
  readonly backend: Backend;
  readonly router = new Router();
  readonly clock: Clock;
  readonly inbox: InboxStore;
  readonly clusters: ClustersStore;
  readonly pages: Pages;
  readonly appearance: Appearance;
  readonly history: HistoryStore;
  readonly settings: SettingsStore;
  readonly models: ModelsStore;
  readonly voice = new Voice();
  readonly commands = new Commands();
  /** The row that gets the focus back when the list is shown again. */
  returnTo: string | null = null;
  info = $state<AppInfo | null>(null);
  /** The panel Ask stands beside the incident. */
  asking = $state(false);
  /** A trouble of the program itself, for example a full disk. */
  trouble = $state<string | null>(null);
  /** The incident the person went to; any other came on screen by itself. */
  picked: string | null = null;

  #unlisten: (() => void) | undefined;
  #stopped = false;

  constructor(backend: Backend) {
    this.backend = backend;
    this.clock = new Clock(() => storyTime(backend.now(), this.info?.drill));
    this.inbox = new InboxStore(backend);
    this.clusters = new ClustersStore(backend);
    // That it could not be told changes nothing about the text: it is kept and tried again here.
    const unsaved = new Unsaved((is) => void backend.setUnsaved(is).catch(() => undefined));
    this.pages = new Pages(backend, unsaved);
    this.appearance = new Appearance(backend);
    this.history = new HistoryStore(backend);
    this.settings = new SettingsStore(backend);
    this.models = new ModelsStore(backend, unsaved);
    this.inbox.onlisted = (incidents) => this.pages.readOlder(incidents);
    this.inbox.onopened = (i) => this.voice.say(`New ${i.severity} incident: ${i.title}, ${i.cluster}.`);
  }

  async start(): Promise<void> {
    this.clock.start();
    this.router.start();
    // Subscribe first, then list: nothing falls between the two.
    const unlisten = await this.backend.listen((event) => this.receive(event));
    if (this.#stopped) return unlisten();
    this.#unlisten = unlisten;
    await this.read();
  }

  /** Reads everything there is a list of; also the second try when the record could not be opened. */
  async read(): Promise<void> {
    const info = this.backend.appInfo().then(
      (answer) => {
        this.info = answer;
        this.trouble = answer.trouble;
      },
      () => undefined,
    );
    await Promise.all([info, this.inbox.list(), this.clusters.read(), this.appearance.read(), this.models.readState()]);
  }

  stop(): void {
    this.#stopped = true;
    this.#unlisten?.();
    this.clock.stop();
    this.router.stop();
    this.inbox.stop();
    void this.pages.flush();
  }

  receive(event: AppEvent): void {
    switch (event.type) {
      case "incident":
        this.inbox.receive(event);
        this.pages.changed(event.incident.id);
        this.history.changed();
        return;
      case "cluster": {
        const before = this.clusters.byName(event.cluster.name)?.state;
        this.clusters.receive(event.cluster);
        if (before !== event.cluster.state) this.pages.changedCluster(event.cluster.name);
        if (before === "connected" && ["unreachable", "login_needed"].includes(event.cluster.state)) {
          this.voice.say(`${event.cluster.name} is out of sight. Nothing of it is recorded until it answers.`);
        }
        return;
      }
      case "incidents":
        void this.inbox.list();
        this.history.changed();
        return;
      case "clusters":
        void this.clusters.read();
        return;
      case "notice":
        this.voice.show(event.text, true);
        return;
      case "open_incident":
        this.picked = null;
        // It is what was recorded that the person comes to see; in a narrow window the panel would cover it.
        this.asking = false;
        this.router.go({ screen: "incident", id: event.id, tab: "overview", item: null });
        return;
      case "drill":
        // It is told again and again, for a page that was being loaded.
        if (this.info && this.info.drill?.begun_at !== event.drill.begun_at) {
          this.info = { ...this.info, drill: event.drill };
        }
        return;
      case "model":
        this.models.receive(event);
        return;
      case "models": {
        const there = this.router.route.screen === "settings" && this.router.route.section === "models";
        if (event.job?.failed && !there) this.voice.show(event.job.failed, true);
        this.models.receive(event);
        return;
      }
      case "trouble":
        this.trouble = event.text;
    }
  }

  /** Does something for the person and says what came of it. True when it was done. */
  async act(what: () => Promise<unknown>, done?: string): Promise<boolean> {
    try {
      await what();
      if (done) this.voice.show(done);
      return true;
    } catch (thrown) {
      this.voice.show(asError(thrown).message, true);
      return false;
    }
  }

  async copy(text: string, what: string): Promise<void> {
    await this.act(() => this.backend.copyText(text), `${what} copied.`);
  }

  get now(): number {
    return this.clock.now;
  }
}

export function provideDesk(desk: Desk): void {
  setContext(KEY, desk);
}

export function desk(): Desk {
  return getContext<Desk>(KEY);
}
