// How the models are spoken of.
import type { ExamDto, ModelJobDto, ModelsPage } from "../../ipc/types";
import { age, number } from "../../shared/format";
import { size } from "../words";

/** The name a model goes by, wherever it is known. */
export function nameOf(page: ModelsPage, id: string): string {
  return page.installed.find((m) => m.id === id)?.name ?? page.catalogue.find((m) => m.id === id)?.name ?? id;
}

/** `4.0 B`, `270 M` */
export function parameters(n: number): string {
  return n >= 950_000_000 ? `${(n / 1e9).toFixed(1)} B` : `${number(n / 1e6)} M`;
}

/** `1.1 of 1.8 GB`: the unit once where it is the same. */
export function sizes(done: number, all: number): string {
  const [n, unit] = size(done).split(" ");
  const [of, ofUnit] = size(all).split(" ");
  return unit === ofUnit ? `${n} of ${of} ${unit}` : `${n} ${unit} of ${of} ${ofUnit}`;
}

/** What a job does and how far it is: `Downloading Qwen3-1.7B, 1.1 of 1.8 GB, 3 m left`. */
export function doing(job: ModelJobDto, page: ModelsPage): string {
  const name = nameOf(page, job.model);
  const what =
    { import: `Importing ${name}`, download: `Downloading ${name}`, exam: `Testing ${name}` }[job.kind] ?? name;
  const far = job.unit === "bytes" ? sizes(job.done, job.all) : `${number(job.done)} of ${number(job.all)} ${job.unit}`;
  return [what, far, ...(job.left_s === null ? [] : [`${age(job.left_s)} left`])].join(", ");
}

/** The heading over a job that failed. */
export function failedTitle(job: ModelJobDto, page: ModelsPage): string {
  const name = nameOf(page, job.model);
  return (
    { import: `${name} was not imported.`, download: `${name} was not downloaded.` }[job.kind] ??
    `${name} was not tested to the end.`
  );
}

/** Where a model does not fit, why; `null` where it does. */
export function tooLarge(memory: number, page: Pick<ModelsPage, "memory_bytes" | "memory_free_bytes">): string | null {
  if (memory > page.memory_bytes) return `needs ${size(memory)} of memory, this laptop has ${size(page.memory_bytes)}`;
  if (memory > page.memory_free_bytes)
    return `needs ${size(memory)} of memory, ${size(page.memory_free_bytes)} are free now`;
  return null;
}

/** One of the files that were dropped, or why none is taken. */
export function dropped(paths: readonly string[], busy: boolean): { path: string } | { refused: string } {
  const name = (path: string) => path.split(/[/\\]/).at(-1) ?? path;
  const [first, ...others] = paths;
  if (first === undefined) return { refused: "Nothing was dropped that is a file." };
  if (others.length > 0) return { refused: `${paths.length} files were dropped. They are imported one at a time.` };
  if (!/\.gguf$/i.test(first)) return { refused: `Not a .gguf file: ${name(first)}` };
  if (busy) return { refused: `Something else is under way. Drop ${name(first)} again when it has ended.` };
  return { path: first };
}

/** The figures of an exam as parts of a whole. */
export function bars(exam: ExamDto): { name: string; of: number; all: number }[] {
  return [
    { name: "Valid answers", of: exam.valid, all: exam.outputs },
    { name: "Right step put first", of: exam.right_first, all: exam.advised },
    { name: "Sentences tied to evidence", of: exam.tied, all: exam.statements },
  ];
}

/** Whether what is sent to an address stays on this computer, and whether it can be read on its way. */
export function wayTo(url: string): { local: boolean; open: boolean } | null {
  let at: URL;
  try {
    at = new URL(url.trim());
  } catch {
    return null;
  }
  if (!["http:", "https:"].includes(at.protocol)) return null;
  const host = at.hostname.replace(/^\[|\]$/g, "");
  const local =
    host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  return { local, open: !local && at.protocol === "http:" };
}
