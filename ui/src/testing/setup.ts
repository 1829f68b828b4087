import { afterEach } from "vitest";

// Each test mounts into a clean page.
afterEach(() => {
  document.body.replaceChildren();
  location.hash = "";
});
