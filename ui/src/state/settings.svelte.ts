import { asError, BackendError, type Backend } from "../ipc/api";
import type { NotificationSettings, RetentionSettings, RuleDto, SettingsPage } from "../ipc/types";
import { Wait } from "../shared/wait.svelte";

/** The settings as they are kept. A change shows at once; one that is refused goes back. */
export class SettingsStore {
  page = $state.raw<SettingsPage | null>(null);
  /** `null` until it is known. */
  autostart = $state<boolean | null>(null);
  error = $state<string | null>(null);
  readonly wait = new Wait();
  #backend: Backend;
  #turn = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async read(): Promise<void> {
    const turn = ++this.#turn;
    this.#backend.autostart().then(
      (on) => (this.autostart = on),
      // Where it cannot be told, the switch is not shown.
      () => (this.autostart = null),
    );
    if (!this.page) this.error = null;
    await this.wait.for(async (wanted) => {
      // Neither what was asked anew nor what was changed meanwhile is overwritten.
      const holds = () => wanted() && turn === this.#turn;
      try {
        const page = await this.#backend.settings();
        if (!holds()) return;
        this.page = page;
        this.error = null;
      } catch (thrown) {
        if (holds()) this.error = asError(thrown).message;
      }
    });
  }

  notifications(change: Partial<NotificationSettings>): Promise<void> {
    return this.#change(
      (page) => ({ ...page, notifications: { ...page.notifications, ...change } }),
      (page) => this.#backend.setNotifications(page.notifications),
    );
  }

  rule(id: string, change: Partial<Pick<RuleDto, "on" | "hold_s" | "threshold">>): Promise<void> {
    return this.#change(
      (page) => ({ ...page, rules: page.rules.map((rule) => (rule.id === id ? { ...rule, ...change } : rule)) }),
      async (page) => {
        const rule = page.rules.find((r) => r.id === id);
        if (rule) await this.#backend.setRule(id, rule.on, rule.hold_s, rule.threshold?.set ?? null);
      },
    );
  }

  retention(change: Partial<RetentionSettings>): Promise<void> {
    return this.#change(
      (page) => ({ ...page, retention: { ...page.retention, ...change } }),
      (page) => this.#backend.setRetention(page.retention),
    );
  }

  async unignore(id: string): Promise<void> {
    await this.#change(
      (page) => ({ ...page, ignored: page.ignored.filter((entry) => entry.id !== id) }),
      () => this.#backend.unignore(id),
    );
    await this.read();
  }

  /** `what`: what is ignored from now on. What the program makes of it is read again. */
  async ignore(what: {
    cluster: string | null;
    namespace: string | null;
    label: string | null;
    reason: string | null;
  }) {
    await this.#backend.ignore(what);
    await this.read();
  }

  async setAutostart(on: boolean): Promise<void> {
    const before = this.autostart;
    this.autostart = on;
    try {
      await this.#backend.setAutostart(on);
    } catch (thrown) {
      this.autostart = before;
      throw thrown;
    }
  }

  async #change(
    show: (page: SettingsPage) => SettingsPage,
    keep: (page: SettingsPage) => Promise<void>,
  ): Promise<void> {
    const before = this.page;
    if (!before) return;
    const turn = ++this.#turn;
    const changed = show(before);
    this.page = changed;
    try {
      await keep(changed);
    } catch (thrown) {
      // Changed again in the meantime: only the record knows what holds now.
      if (turn === this.#turn) this.page = before;
      else await this.read();
      throw new BackendError(`Not changed: ${asError(thrown).message}`);
    }
  }
}
