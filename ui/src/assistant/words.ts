// How the window speaks of the model, of what is being written, and of answers.
import { offered } from "../incidents/words";
import type { ExchangeDto, IncidentDto, ModelStateDto, StatementDto, WritingDto } from "../ipc/types";
import { count, number } from "../shared/format";
import type { Run } from "../state/run.svelte";

/** The host of an address, or the address where it has none. */
export function host(url: string): string {
  try {
    return new URL(url).host || url;
  } catch {
    return url;
  }
}

/** `Qwen3-4B, on this laptop`, `qwen3-8b, on llm.acme.example` */
export function writer(by: { name: string | null; server: string | null }): string {
  return `${by.name ?? "A model"}, ${by.server === null ? "on this laptop" : `on ${host(by.server)}`}`;
}

/** The model as the watch bar names it. `loaded` is from 0 to 1 where it is known. */
export function standing(state: ModelStateDto, loaded: number | null): { text: string; warn: boolean } {
  const name = state.name ?? "The model";
  switch (state.phase) {
    case "none":
      return { text: "Rules only", warn: false };
    case "loading":
      return {
        text: loaded === null ? `Loading ${name}` : `Loading ${name}, ${Math.floor(loaded * 100)} %`,
        warn: false,
      };
    case "busy":
      return { text: `${name} is writing`, warn: false };
    case "unusable":
      return { text: `${name} cannot be used`, warn: true };
    default:
      return { text: writer(state), warn: false };
  }
}

/** What goes on with something that is being written. `seconds`: how long it has been at this. */
export function going(run: Pick<Run, "step" | "words" | "tokensPerSecond">, seconds: number): string {
  const { step } = run;
  // The first second needs no number.
  const since = seconds >= 1 ? `, ${number(seconds)} s` : "";
  switch (step?.type) {
    case "loading":
      return `Reading the model into memory, ${Math.floor(step.done * 100)} %`;
    case "waiting":
      return `Another question is being answered first${since}`;
    case "reading":
      return `Reading ${count(step.items, "item")}${since}`;
    case "words":
      return `Writing, ${count(run.words, "word")} not checked yet${speed(run.tokensPerSecond) ? `, ${speed(run.tokensPerSecond)}` : ""}`;
    default:
      return `Asking${since}`;
  }
}

/** `9.2 tokens a second`; nothing where it is not known. */
export function speed(tokensPerSecond: number | null): string {
  if (tokensPerSecond === null || !(tokensPerSecond > 0)) return "";
  const n = tokensPerSecond >= 20 ? number(tokensPerSecond) : tokensPerSecond.toFixed(1);
  return `${n} tokens a second`;
}

/** What is shown of an answer; what was struck stands apart. */
export const shown = (writing: WritingDto): StatementDto[] => writing.statements.filter((s) => s.standing !== "struck");
export const struck = (writing: WritingDto): StatementDto[] =>
  writing.statements.filter((s) => s.standing === "struck");

/** `3 of 4 sentences tied to evidence` */
export function tiedWords(writing: WritingDto): string {
  const all = shown(writing).length;
  if (all === 0) return "Nothing could be tied to evidence";
  return `${writing.tied} of ${count(all, writing.by === "model" ? "sentence" : "row")} tied to evidence`;
}

/** Who wrote it, and how quickly. */
export function byWords(writing: WritingDto): string {
  if (writing.by !== "model") return "By rules";
  const fast = speed(writing.tokens_per_second);
  return [writer({ name: writing.model, server: writing.server }), fast].filter(Boolean).join(", ");
}

/** A sentence and the stop at its end: ids stand between the two. */
export function parted(text: string): [text: string, stop: string] {
  const [, words = text, stop = ""] = /^(.*?)([.!?]?)\s*$/s.exec(text) ?? [];
  return [words, stop];
}

/** A sentence with its ids, as the notes and the post-mortem cite. */
function cited(s: StatementDto): string {
  const ids = s.cites.length > 0 ? `[${s.cites.join(", ")}]` : "";
  const doubt = s.standing === "tied" ? "" : "(not established)";
  const after = [ids, doubt].filter(Boolean).join(" ");
  if (!after) return s.text;
  const [text, stop] = parted(s.text);
  return `${text} ${after}${stop}`;
}

/** A question and its answer as Markdown, with the ids; what was struck is left out. */
export function asMarkdown(exchange: ExchangeDto): string {
  const { question, answer } = exchange;
  const said = shown(answer).map(cited);
  const text =
    said.length === 0
      ? "Not established from what was recorded."
      : answer.by === "model"
        ? said.join(" ")
        : said.map((line) => `- ${line}`).join("\n");
  const by = answer.by === "model" ? `Written by ${answer.model ?? "a model"}, checked against the record.` : null;
  return [`**${question.trim()}**`, text, ...(by ? [`_${by}_`] : [])].join("\n\n");
}

/** The questions that are offered: three that were not asked yet. */
const READY = [
  "What changed before it began?",
  "What is not known?",
  "What was ruled out?",
  "Which objects are affected?",
  "What should I do first?",
  "Why did it happen?",
];
export function ready(exchanges: readonly ExchangeDto[], asked: string | null): string[] {
  const before = new Set([...exchanges.map((e) => e.question), asked]);
  return READY.filter((q) => !before.has(q)).slice(0, 3);
}

/** Whole sentences at the beginning of a text that grows; what follows the last full stop is not told yet. */
export function sentences(text: string): string[] {
  return text.match(/[^.!?]*(?:[.!?](?!\s|$)[^.!?]*)*[.!?]+(?=\s)/g)?.map((s) => s.trim()) ?? [];
}

/** A row of the ledger: when it was, and what. A time at the beginning of the words is the time of the row. */
export function row(incident: IncidentDto, s: StatementDto): { clock: string | null; at: string | null; text: string } {
  const [, clock = null, rest] = /^(\d{1,2}:\d{2}(?::\d{2})?)[,:]?\s+(?=\S)(.*)$/s.exec(s.text) ?? [];
  if (clock && rest) return { clock, at: null, text: rest.charAt(0).toUpperCase() + rest.slice(1) };
  const [at = null] = s.cites.flatMap(
    (id) => incident.changes.find((c) => c.id === id)?.at ?? incident.evidence.find((e) => e.id === id)?.at ?? [],
  );
  return { clock: null, at: s.standing === "tied" ? at : null, text: s.text };
}

/** The reasons for each action of an advice, in its order. A reason stands at the place of its action. */
export function reasons(writing: WritingDto): { action: string; why: StatementDto[] }[] {
  const each = writing.actions.length > 0 ? writing.statements.length / writing.actions.length : 0;
  const per = Number.isInteger(each) && each > 0 ? each : 1;
  return writing.actions.map((action, i) => ({ action, why: writing.statements.slice(i * per, (i + 1) * per) }));
}

/** A reason as it stands under its step: neither the step's name nor its id is said again. */
export function underStep(s: StatementDto, action: string, title: string): StatementDto {
  const cites = s.cites.filter((id) => id !== action);
  const named = `${title}: `;
  const text = s.text.startsWith(named) ? s.text.slice(named.length) : s.text;
  return { ...s, cites, text: text.charAt(0).toUpperCase() + text.slice(1) };
}

/** The steps in the order of an advice; what it says nothing of follows as the rules have it. */
export function ordered(incident: IncidentDto, advice: WritingDto | null): IncidentDto["actions"] {
  const all = offered(incident);
  const first = advice?.actions.flatMap((id) => all.find((a) => a.id === id) ?? []) ?? [];
  return [...first, ...all.filter((a) => !first.includes(a))];
}
