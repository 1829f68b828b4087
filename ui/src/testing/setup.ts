import { afterEach } from "vitest";

// A browser tells of a selection once it has come to rest, and only of another one; happy-dom in the middle of making
// any. The editor would take that for a person's and make it again.
const dispatch = document.dispatchEvent.bind(document);
document.dispatchEvent = (event) => event.type === "selectionchange" || dispatch(event);

// Each test mounts into a clean page.
afterEach(() => {
  document.body.replaceChildren();
  location.hash = "";
});
