/** The draft as the rules fill it. */
export const draft = `# checkout had no ready pods for 17 m 48 s

Status: Draft · Severity: Critical · Author: not named

## Summary

helm lowered the memory limit of checkout from 512Mi to 192Mi at 02:54:07 [E2]. All 3 pods were killed within 57 seconds of each other [E5, E7, E9], and the Service had no endpoint from 02:57:03 to 03:14:51 [E11].

## Impact

Service checkout had no endpoint for 17 m 48 s, of which 2 m 28 s were not recorded [E11, E18]. 2 of 4 storefront pods were not ready from 02:58:20 [E16]. *Not established:* the number of failed orders.

## Timeline

| Time | What | Evidence |
| --- | --- | --- |
| 02:54:07 | Deployment checkout: memory limit 512Mi → 192Mi (trigger) | C2, E2 |
| 02:56:12 | Pod …-k2x7p killed for memory, exit 137 (started) | E5, E6 |
| 03:04:10–03:06:38 | Not recorded: API server out of reach | E18 |
| 03:14:51 | checkout is ready again, 3 of 3 pods (mitigated) | E11 |

## Contributing factors

- The memory limit and the heap flag are set apart: the limit changed, the flag did not [E2, E12].
- The upgrade ran at night with nobody watching.

## Root cause

The heap may grow to 384 MiB in a container limited to 192 MiB [E12].

## What is not known

- Memory use before the kills: no metrics source.
- 03:04:10–03:06:38 was not recorded [E18].

## Action items

| Kind | Action | Owner | Until | Status |
| --- | --- | --- | --- | --- |
| Prevent | Correct the chart value [A1] | Mara | 13 Nov | proposed |
| Prevent | Check the heap flag against the limit in CI | no owner yet | no date | proposed |
| Detect | Name a metrics source for prod-eu | platform | 27 Nov | proposed |
`;

const escape = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c);
const inline = (text: string) =>
  escape(text)
    .replace(/\*\*(.+?)\*\*/g, "<strong>$1</strong>")
    .replace(/\*(.+?)\*/g, "<em>$1</em>")
    .replace(/`(.+?)`/g, "<code>$1</code>");

/** Just enough Markdown for the story; the program has a real renderer. */
export function html(markdown: string): string {
  return markdown
    .split(/\n{2,}/)
    .map((block) => {
      const heading = /^(#{1,3}) (.*)$/.exec(block);
      if (heading) return `<h${heading[1]?.length}>${inline(heading[2] ?? "")}</h${heading[1]?.length}>`;
      const lines = block.split("\n").filter(Boolean);
      if (lines[0]?.startsWith("| ")) {
        const cells = (line: string, tag: string) =>
          `<tr>${line
            .split("|")
            .slice(1, -1)
            .map((cell) => `<${tag}>${inline(cell.trim())}</${tag}>`)
            .join("")}</tr>`;
        return `<table><thead>${cells(lines[0], "th")}</thead><tbody>${lines
          .slice(2)
          .map((line) => cells(line, "td"))
          .join("")}</tbody></table>`;
      }
      if (lines[0]?.startsWith("- "))
        return `<ul>${lines.map((line) => `<li>${inline(line.slice(2))}</li>`).join("")}</ul>`;
      return lines.length ? `<p>${inline(lines.join(" "))}</p>` : "";
    })
    .join("\n");
}

/** What stands under a heading of the second level. */
export function bodyOf(markdown: string, heading: string): string {
  const [, after = ""] = markdown.split(`## ${heading}\n`);
  return (after.split(/^## /m)[0] ?? "").trim();
}
