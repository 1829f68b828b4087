// The settings of the made-up program, and what its doctor says.
import { at } from "./story/time";
import { rules } from "./story/rules";
import { BackendError } from "./backend";
import type {
  AppearanceSettings,
  Diagnostics,
  IgnoredDto,
  IgnoreRequest,
  NotificationSettings,
  RetentionSettings,
  RuleDto,
  SettingsPage,
} from "./types";

const ignored: IgnoredDto[] = [
  {
    id: "i1",
    kind: "namespace",
    what: "namespace sandbox in staging-eu",
    reason: "everybody tries things there",
    since: at("10:12:00", 3),
  },
  {
    id: "i2",
    kind: "not_an_incident",
    what: "job-failed on CronJob billing-import in prod-eu / billing",
    reason: "fails on the first of the month until the bank answers",
    since: at("08:02:40", 2),
  },
];

export class FakeSettings {
  page: SettingsPage = {
    notifications: {
      critical: "now",
      high: "now",
      medium: "morning",
      low: "window",
      morning_at: "08:30",
      recovered: "acknowledged",
      lost_sight: true,
      quiet_hours: { from: "22:00", to: "07:00", except_critical: true },
      on_call_until: at("09:00:00", 16),
      hide_names: false,
    },
    rules: rules.map((rule) => ({ ...rule })),
    ignored,
    retention: { evidence_days: 365, changes_days: 30 },
    appearance: { theme: "system", single_keys: true, clock: "local", zoom: 100 },
    data: {
      database: "/home/mara/.local/share/afterwatch/afterwatch.db",
      bytes: 1_288_490_188,
      incidents: 47,
      recorded_since: "2026-03-03T08:12:00Z",
      backups: "/home/mara/.local/share/afterwatch/backups",
      log: "/home/mara/.local/state/afterwatch/afterwatch.log",
    },
    sent: [
      { at: at("02:57:07"), title: "checkout has no ready pods", kind: "opened", incident: "47" },
      { at: at("22:04:40", 11), title: "ingress-nginx cannot pull its image", kind: "opened", incident: "44" },
      { at: at("18:07:11", 11), title: "edge-lab cannot be watched", kind: "lost_sight", incident: null },
      { at: at("08:30:00", 10), title: "Since 22:00: 1 Medium open", kind: "morning", incident: null },
      { at: at("14:20:12", 9), title: "Node worker-3 is not ready", kind: "opened", incident: "42" },
    ],
  };
  backUps = 0;

  notifications(to: NotificationSettings): void {
    this.page = { ...this.page, notifications: to };
  }
  rule(id: string, on: boolean, hold_s: number | null, set: number | null): void {
    if (!this.page.rules.some((rule) => rule.id === id)) throw new BackendError(`There is no rule ${id}.`);
    const changed = (r: RuleDto): RuleDto => ({ ...r, on, hold_s, threshold: r.threshold && { ...r.threshold, set } });
    this.page = { ...this.page, rules: this.page.rules.map((r) => (r.id === id ? changed(r) : r)) };
  }
  ignore({ cluster, namespace, label, reason }: IgnoreRequest, now: number): void {
    const what = [namespace && `namespace ${namespace}`, label && `label ${label}`].filter(Boolean).join(", ");
    const entry: IgnoredDto = {
      id: `i${this.page.ignored.length + 1}-${now}`,
      kind: label ? "label" : "namespace",
      what: `${what} in ${cluster ?? "every cluster"}`,
      reason,
      since: new Date(now).toISOString(),
    };
    this.page = { ...this.page, ignored: [entry, ...this.page.ignored] };
  }
  unignore(id: string): void {
    this.page = { ...this.page, ignored: this.page.ignored.filter((entry) => entry.id !== id) };
  }
  retention(to: RetentionSettings): void {
    this.page = { ...this.page, retention: to };
  }
  appearance(to: AppearanceSettings): void {
    this.page = { ...this.page, appearance: to };
  }
  backUp(): string {
    this.backUps += 1;
    return `${this.page.data.backups}/afterwatch-2026-11-12T03-09-12.db`;
  }
}

export const diagnostics: Diagnostics = {
  version: "0.1.0",
  platform: "Linux 6.12, x86_64",
  checks: [
    { name: "History", level: "ok", message: "1.2 GB, 47 incidents, the check of the file found no damage", hint: "" },
    { name: "Disk", level: "ok", message: "84 GB are free", hint: "" },
    { name: "Kubeconfig", level: "ok", message: "4 contexts in ~/.kube/config", hint: "" },
    { name: "prod-eu", level: "ok", message: "answers in 41 ms, Kubernetes 1.33.4", hint: "" },
    {
      name: "staging-eu",
      level: "warn",
      message: "answers in 58 ms; nodes may not be read",
      hint: "Ask an administrator for list and watch on nodes: Clusters has the request to copy.",
    },
    {
      name: "edge-lab",
      level: "fail",
      message: "the sign-in program kubelogin ended with 1: error: get-token: token expired",
      hint: "Run kubectl --context edge-lab get pods once in a terminal, then try again.",
    },
    { name: "Notifications", level: "ok", message: "org.freedesktop.Notifications answers (GNOME Shell 47)", hint: "" },
  ],
  report: "Afterwatch 0.1.0, Linux 6.12, x86_64\nok    History: 1.2 GB, 47 incidents\nfail  edge-lab: token expired\n",
};
