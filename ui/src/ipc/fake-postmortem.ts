// The post-mortems of the made-up program: versions, status, shapes, and a check of citations that knows just enough.
import type { PostmortemOrigin } from "./backend";
import { bodyOf, draft, html } from "./story/postmortem";
import type {
  CitationsDto,
  ExportedDto,
  IncidentDto,
  PostmortemDto,
  PostmortemStatusDto,
  PostmortemVersionDto,
  SentenceDto,
} from "./types";

const SHAPES = [
  { id: "house", name: "Afterwatch", problem: null },
  { id: "google-sre", name: "Google SRE", problem: null },
  { id: "pagerduty", name: "PagerDuty", problem: null },
  { id: "atlassian", name: "Atlassian", problem: null },
  { id: "own:team.md", name: "team.md", problem: null },
];
const HEADINGS: Record<string, string> = {
  summary: "Summary",
  impact: "Impact",
  trigger: "Trigger",
  contributing_factors: "Contributing factors",
  root_cause: "Root cause",
  not_known: "What is not known",
  action_items: "Action items",
};

export class FakePostmortems {
  edited = new Map<string, { markdown: string; at: string }>();
  status = new Map<string, PostmortemStatusDto>();
  shape = new Map<string, string>();
  /** What was opened or shown. */
  opened: string[] = [];
  written: { format: string; frontMatter: boolean }[] = [];
  #versions = new Map<string, PostmortemVersionDto[]>();
  #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  page(incident: IncidentDto): PostmortemDto {
    const mine = this.edited.get(incident.id);
    const filled = incident.number === 47 ? draft : `# ${incident.title}\n\n*Not established:* the cause.\n`;
    const shape = this.shape.get(incident.id) ?? "house";
    const markdown = mine?.markdown ?? (shape === "house" ? filled : filled.replace("## Summary", "## Overview"));
    return {
      ...this.preview(incident, markdown),
      markdown,
      file_name: `INC-${incident.number}-checkout.md`,
      edited: mine !== undefined,
      updated_at: mine?.at ?? null,
      status: this.status.get(incident.id) ?? { status: "draft", at: null, by: null },
      shape,
      shapes: SHAPES,
    };
  }

  preview(incident: IncidentDto, markdown: string) {
    const there = Object.entries(HEADINGS).filter(([, heading]) => markdown.includes(`## ${heading}\n`));
    const sections = there.map(([section, heading]) => ({ section, heading }));
    return { html: html(markdown), citations: citations(incident, markdown), sections };
  }

  save(incident: IncidentDto, markdown: string | null, origin: PostmortemOrigin | "kept" | "shaped"): PostmortemDto {
    const at = this.#at();
    if (markdown === (this.edited.get(incident.id)?.markdown ?? null)) return this.page(incident);
    // What the record had filled is kept as the first version.
    if (markdown !== null && origin !== "kept" && !this.edited.has(incident.id)) {
      const filled = this.page(incident).markdown;
      this.#add(incident, { at, origin: "kept", markdown: filled });
    }
    this.#add(incident, { at, origin, markdown });
    if (markdown === null) this.edited.delete(incident.id);
    else this.edited.set(incident.id, { markdown, at });
    if (this.status.get(incident.id)?.status === "reviewed")
      this.status.set(incident.id, { status: "draft", at, by: "mara" });
    return this.page(incident);
  }

  #add(incident: IncidentDto, version: Pick<PostmortemVersionDto, "at" | "origin" | "markdown">): void {
    const before = this.versions(incident);
    this.#versions.set(incident.id, [...before, { version: before.length + 1, by: "mara", ...version }]);
  }

  versions(incident: IncidentDto): PostmortemVersionDto[] {
    return this.#versions.get(incident.id) ?? [];
  }

  setStatus(incident: IncidentDto, status: string): PostmortemDto {
    if (status !== "draft" && !this.edited.has(incident.id)) this.save(incident, this.page(incident).markdown, "kept");
    this.status.set(incident.id, { status, at: this.#at(), by: "mara" });
    return this.page(incident);
  }

  setShape(incident: IncidentDto, shape: string): PostmortemDto {
    if (this.edited.has(incident.id)) this.save(incident, null, "shaped");
    this.shape.set(incident.id, shape);
    return this.page(incident);
  }

  section(section: string): string {
    return bodyOf(draft, HEADINGS[section] ?? "");
  }

  write(incident: IncidentDto, format: string, frontMatter: boolean): ExportedDto {
    this.written.push({ format, frontMatter });
    const name = `INC-${incident.number}-checkout.${format}`;
    const beside = format === "md" ? [`INC-${incident.number}-checkout.svg`] : [];
    return { path: `/home/mara/Documents/${name}`, name, beside, bytes: 184_320, milliseconds: 240 };
  }

  #at(): string {
    return new Date(this.#now()).toISOString();
  }
}

/** Sentences of paragraphs and list items; each line is its own paragraph in the story. */
function citations(incident: IncidentDto, markdown: string): CitationsDto {
  const known = new Set([...incident.evidence, ...incident.changes, ...incident.actions].map((item) => item.id));
  const sentences: SentenceDto[] = [];
  let at = 0;
  for (const [n, line] of markdown.split("\n").entries()) {
    const start = at;
    at += line.length + 1;
    if (/^(#|\||Status:|\s*$)/.test(line)) continue;
    const offset = /^- /.test(line) ? 2 : 0;
    for (const match of line.slice(offset).matchAll(/\S.*?(?:[.?!](?=\s|$)|$)/g)) {
      const text = match[0];
      const from = start + offset + match.index;
      const ids = [...text.matchAll(/\[([^\]]+)\]/g)].flatMap((m) => (m[1] ?? "").split(/,\s*/));
      const unknown = ids.filter((id) => /^[ECA]\d+$/.test(id) && !known.has(id));
      const established = !/not (established|recorded|known)|no metrics/i.test(text);
      const standing =
        unknown.length > 0 ? "unknown" : ids.length > 0 ? "cites" : established ? "nothing" : "not_established";
      sentences.push({ standing, line: n + 1, from, to: from + text.length, text: text.replace(/[*`]/g, ""), unknown });
    }
  }
  return { sentences, replaced: markdown.match(/token=\w+/g)?.length ?? 0 };
}
