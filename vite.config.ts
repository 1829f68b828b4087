import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: "ui",
  // The window's page has a strict content policy: everything comes from its own files.
  plugins: [svelte({ configFile: "../svelte.config.js" })],
  clearScreen: false,
  server: { port: 1420, strictPort: true, host: "127.0.0.1" },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // WebKitGTK 2.42 and newer, WKWebView of macOS 13, WebView2.
    target: "safari16",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  // Tests mount components, so they need Svelte's browser half.
  resolve: process.env["VITEST"] ? { conditions: ["browser"] } : {},
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.ts"],
    setupFiles: ["src/testing/setup.ts"],
    env: { TZ: "Europe/Berlin" },
    // A whole page is checked for its structure in one test; a busy machine takes its time over that.
    testTimeout: 20_000,
  },
});
