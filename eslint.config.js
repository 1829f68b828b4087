import js from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import ts from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

const tauriOnlyInIpc = {
  group: ["@tauri-apps/*"],
  message: "Only ui/src/ipc/ talks to the program behind the window. Add a method to Backend there.",
};

export default ts.config(
  { ignores: ["ui/dist/", "ui/src/ipc/contract/"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      "no-undef": "off", // TypeScript knows better.
      eqeqeq: "error",
      "no-console": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // Text from a cluster is inert text. The one exception says so where it stands.
      "svelte/no-at-html-tags": "error",
      // The window's content policy forbids style attributes in markup; `style:` and classes pass it.
      "svelte/no-inline-styles": ["error", { allowTransitions: false }],
      // Addresses are of this page (`#/…`) or the report's own; there is no router that could resolve them.
      "svelte/no-navigation-without-resolve": "off",
      // Plain maps are used on purpose where nothing on the page hangs on them.
      "svelte/prefer-svelte-reactivity": "off",
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  {
    files: ["ui/src/**"],
    ignores: ["ui/src/ipc/**"],
    rules: { "no-restricted-imports": ["error", { patterns: [tauriOnlyInIpc] }] },
  },
  {
    files: ["ui/src/shared/**"],
    ignores: ["ui/src/shared/**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            tauriOnlyInIpc,
            { group: ["../*/**"], message: "Shared components know no domain: pass in what they show." },
          ],
        },
      ],
    },
  },
);
