import { describe, expect, it } from "vitest";
import { cite } from "./cite";
import { safe } from "./safe";

describe("the report's HTML", () => {
  it("keeps plain markup", () => {
    const html = `<h2 id="a">Summary</h2><p>One <strong>two</strong> <a href="https://example.com">three</a></p>`;
    expect(safe(html)).toBe(html);
  });

  it.each([
    [`<script>alert(1)</script>`],
    [`<img src="x" onerror="alert(1)">`],
    [`<p onclick="alert(1)" style="position:fixed">x</p>`],
    [`<a href="javascript:alert(1)">x</a>`],
    [`<a href=" JaVaScRiPt:alert(1)">x</a>`],
    [`<iframe srcdoc="<script>alert(1)</script>"></iframe>`],
    [`<svg><style>*{display:none}</style><a xlink:href="javascript:alert(1)">x</a></svg>`],
    [`<form action="https://example.com"><input type="text" autofocus></form>`],
    [`<math><mtext><script>alert(1)</script></mtext></math>`],
    [`<style>@import "https://example.com"</style><link rel="stylesheet">`],
    [`<base href="https://example.com"><meta http-equiv="refresh" content="0">`],
  ])("lets nothing through that acts: %s", (html) => {
    const box = document.createElement("div");
    box.innerHTML = safe(`<p>before</p>${html}`);
    expect(
      box.querySelectorAll("script, style, img, svg, iframe, form, link, base, meta, math, input:not([type=checkbox])"),
    ).toHaveLength(0);
    for (const element of box.querySelectorAll("*")) {
      for (const { name, value } of [...element.attributes]) {
        expect(name).not.toMatch(/^(on|style)/i);
        expect(value).not.toMatch(/javascript:/i);
      }
    }
    expect(box.textContent).toContain("before");
  });

  it("links citations to their items, also where a cell holds nothing else, but not in code", () => {
    const html = cite(
      `<p>Killed [E5, E7]. See [a note].</p><table><tbody><tr><td>E6, C2</td></tr></tbody></table><code>[E5]</code>`,
      (id) => `Evidence ${id}`,
    );
    const box = document.createElement("div");
    box.innerHTML = html;
    expect([...box.querySelectorAll("a")].map((a) => [a.getAttribute("href"), a.textContent, a.title])).toEqual([
      ["#E5", "E5", "Evidence E5"],
      ["#E7", "E7", "Evidence E7"],
      ["#E6", "E6", "Evidence E6"],
      ["#C2", "C2", "Evidence C2"],
    ]);
    expect(box.querySelector("p")?.textContent).toBe("Killed E5 E7. See [a note].");
    expect(box.querySelector("code")?.textContent).toBe("[E5]");
  });
});
