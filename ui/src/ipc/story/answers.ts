// What the made-up model and the made-up rules write of INC-47.
import type { IncidentDto, StatementDto, WordedSection, WritingDto } from "../types";

const tied = (text: string, ...cites: string[]): StatementDto => ({ text, cites, standing: "tied", why: null });
const open = (text: string, why: string, ...cites: string[]): StatementDto => ({
  text,
  cites,
  standing: "not_established",
  why,
});
const struck = (text: string, why: string, ...cites: string[]): StatementDto => ({
  text,
  cites,
  standing: "struck",
  why,
});

function written(by: "rules" | "model", statements: StatementDto[], actions: string[] = []): WritingDto {
  const model = by === "model";
  return {
    by,
    model: model ? "Qwen3-4B Instruct" : null,
    server: null,
    statements,
    actions,
    tied: statements.filter((s) => s.standing === "tied").length,
    first_token_ms: model ? 4100 : null,
    tokens_per_second: model ? 9.2 : null,
    instead: null,
  };
}

/** The model's answer: to one question with a doubt, to every other with all that can become of a sentence. */
export function answered(question: string): WritingDto {
  if (/traffic/.test(question)) {
    return written("model", [
      open("It cannot be ruled out: no request metrics are read for prod-eu.", "It names no recorded item."),
      tied("Against it: the pods are killed within 2 minutes of their start.", "E5", "E7", "E9"),
      tied("The heap flag alone allows twice the limit.", "E12"),
    ]);
  }
  return written("model", [
    tied(
      "storefront calls checkout through the Service checkout, which has had no ready endpoint since 02:57:03.",
      "E11",
    ),
    tied("Its readiness probe has answered 503 since 02:58:20.", "E16"),
    tied("The only change near storefront in the hour before was to storefront-flags, at 02:41:55.", "C1"),
    open("Customers probably saw errors at the till.", "It names no recorded item."),
    struck(
      "Pod storefront-7c9d was evicted by the node.",
      "The record has no eviction of it: E16 speaks of a probe.",
      "E16",
    ),
    struck("The limit was raised to 1Gi at 03:01.", "Neither 1Gi nor 03:01 occurs in C2.", "C2"),
  ]);
}

/** What rules can say to a question, as rows. */
export function answeredByRules(incident: IncidentDto, question: string): WritingDto {
  const rows: StatementDto[] = /changed/.test(question)
    ? incident.changes.map((c) => tied(`${c.object.kind} ${c.object.name}: ${c.summary}`, c.id))
    : /not known/.test(question)
      ? [
          ...incident.causes.flatMap((c) => c.needs.map((n) => open(n, "Nothing that was recorded shows it."))),
          tied("2 m 28 s not recorded: API server out of reach", "E18"),
        ]
      : /ruled out/.test(question)
        ? incident.ruled_out.map((r) =>
            r.result === "no" ? tied(r.statement, ...r.evidence) : open(r.statement, "Nothing recorded settles it."),
          )
        : /affected/.test(question)
          ? incident.findings.map((f) => tied(f.message, ...f.evidence))
          : [];
  return written("rules", rows);
}

/** Two sentences for each step; the model turns the first two round. */
export function advice(incident: IncidentDto, byModel: boolean): WritingDto {
  const ids = incident.actions.map((a) => a.id);
  if (!byModel) {
    return written(
      "rules",
      incident.actions.map((a) => tied(`${a.because} At worst: ${a.risk}`.replace(/ At worst: $/, ""), a.id, "C2")),
      ids,
    );
  }
  const why: Record<string, StatementDto[]> = {
    A2: [tied("It puts the limit back to 512Mi, at which the pods ran for 22 days.", "C2", "E12")],
    A1: [tied("Revision 30 is the last one that was ready. It also takes back chart 2.4.0.", "E1", "C2")],
    A3: [open("Without it the next Helm upgrade may lower the limit again.", "The next upgrade is not in the record.")],
  };
  const order = [...ids].sort((a, b) => Object.keys(why).indexOf(a) - Object.keys(why).indexOf(b));
  return written(
    "model",
    order.map((id) => why[id]?.[0] ?? open("No reason was given.", "It names no item.")),
    order,
  );
}

export function reworded(section: string): WordedSection {
  const heading = section.charAt(0).toUpperCase() + section.slice(1).replaceAll("_", " ");
  const writing = written("model", [
    tied("A Helm upgrade lowered the memory limit of checkout from 512Mi to 192Mi at 02:54:07.", "C2"),
    tied("All 3 pods were killed for memory from 02:56:12 on.", "E5", "E7", "E9"),
  ]);
  const markdown = writing.statements.map((s) => `${s.text.slice(0, -1)} [${s.cites.join(", ")}].`).join(" ");
  return { section, heading, markdown, writing };
}
