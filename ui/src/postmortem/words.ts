// Status, origin and size of a post-mortem, in words.
import type { CitationsDto, PostmortemStatusDto } from "../ipc/types";
import { count, moment } from "../shared/format";
import { of, open } from "./checks";

export const STATUSES = [
  { id: "draft", name: "Draft", shape: "acknowledged" },
  { id: "in_review", name: "In review", shape: "mitigated" },
  { id: "reviewed", name: "Reviewed", shape: "resolved" },
] as const;

export const statusOf = (status: string) => STATUSES.find((s) => s.id === status) ?? STATUSES[0];

/** `Reviewed by otto, 13 Nov, 09:20:11` */
export function since({ status, at, by }: PostmortemStatusDto, now: number): string {
  const { name } = statusOf(status);
  return at && by ? `${name} since ${moment(at, now)}, by ${by}` : name;
}

/** Why there is a version. */
export function origin(word: string): string {
  return (
    {
      typed: "typed",
      restored: "put back",
      filled: "filled from the record",
      shaped: "another shape",
      worded: "section worded anew",
      kept: "as the record filled it",
    }[word] ?? word
  );
}

/** What an exported file will say of itself, one sentence each. */
export function marked(citations: CitationsDto, status: string): string[] {
  const bad = open(citations).length;
  const said = of(citations, "not_established").length;
  return [
    ...(bad > 0
      ? [
          `${count(bad, "sentence")} ${bad === 1 ? "cites" : "cite"} nothing that is in the record. ${bad === 1 ? "It is" : "They are"} printed as “not established”.`,
        ]
      : []),
    ...(said > 0 ? [`${count(said, "sentence")} ${said === 1 ? "says" : "say"} what is not established.`] : []),
    ...(citations.replaced > 0
      ? [`${count(citations.replaced, "value")} ${citations.replaced === 1 ? "is" : "are"} replaced before export.`]
      : []),
    ...(status === "reviewed" ? [] : [`“${statusOf(status).name}” is printed at the head of each page.`]),
  ];
}

/** `184 kB` */
export function size(bytes: number): string {
  return bytes < 1000
    ? `${bytes} bytes`
    : bytes < 1e6
      ? `${Math.round(bytes / 1000)} kB`
      : `${(bytes / 1e6).toFixed(1)} MB`;
}
