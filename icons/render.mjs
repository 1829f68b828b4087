// Makes the committed pictures from the SVG sources: `npm run icons`.
// Tray forms come twice: `tray-NAME.png` (32 px) is readable on light and on dark panels alike,
// the form of a severity in its colour; `tray-NAME-template.png` (44 px, black) is for macOS, which
// colours it by itself. Form alone must tell the states apart: macOS and GNOME give one colour.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Resvg } from "@resvg/resvg-js";

const here = dirname(fileURLToPath(import.meta.url));
const render = (svg, width) => new Resvg(svg, { fitTo: { mode: "width", value: width } }).render().asPng();

/** Middle tones: at least 3:1 on a light (#ececec) and on a dark (#1f1f1f) panel. */
const neutral = "#7e8184";
const colours = { critical: "#d6423f", high: "#bd6414", medium: "#927522" };

for (const file of readdirSync(join(here, "src")).filter((name) => name.endsWith(".svg"))) {
  const name = file.slice("tray-".length, -".svg".length);
  const source = readFileSync(join(here, "src", file), "utf8");
  const coloured = source
    .replace('id="line"', `fill="${neutral}"`)
    .replace('id="form"', `fill="${colours[name] ?? neutral}"`);
  writeFileSync(join(here, `tray-${name}.png`), render(coloured, 32));
  writeFileSync(join(here, `tray-${name}-template.png`), render(source, 44));
}

// The app's own icon in the sizes and containers each system wants.
const folder = mkdtempSync(join(tmpdir(), "afterwatch-icons-"));
try {
  const large = join(folder, "icon-1024.png");
  writeFileSync(large, render(readFileSync(join(here, "icon.svg"), "utf8"), 1024));
  execFileSync("npx", ["--yes", "@tauri-apps/cli@2.12.5", "icon", large, "-o", folder], {
    cwd: dirname(here),
    stdio: "inherit",
  });
  for (const wanted of ["32x32.png", "128x128.png", "128x128@2x.png", "icon.png", "icon.icns", "icon.ico"]) {
    copyFileSync(join(folder, wanted), join(here, wanted));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
