// The recorded incidents of the made-up program.
import type { DrillDto, StoryDto } from "../types";

export const stories: StoryDto[] = [
  {
    name: "memory-limit",
    title: "A memory limit that is too low",
    summary:
      "A release lowers the memory limit of checkout, which is then killed again and again until it is put back.",
    duration_s: 412,
  },
  {
    name: "missing-key",
    title: "A Secret without the key a release needs",
    summary: "The new pods of invoices cannot start, while the old ones go on serving.",
    duration_s: 330,
  },
  {
    name: "node-lost",
    title: "A node that dies with ten workloads on it",
    summary: "The kubelet of a node stops answering; its pods are moved elsewhere, and the node comes back.",
    duration_s: 460,
  },
];

/** A drill whose story begins now. */
export function played(name: string | null, speed: number, now: number): DrillDto {
  const story = stories.find((s) => s.name === name);
  const length = (story?.duration_s ?? 300) * 1000;
  const ends = now + length / speed;
  return {
    title: story?.title ?? "A recording of your own",
    summary: story?.summary ?? "",
    starts_at: new Date(ends - length).toISOString(),
    ends_at: new Date(ends).toISOString(),
    speed,
    begun_at: new Date(now).toISOString(),
  };
}
