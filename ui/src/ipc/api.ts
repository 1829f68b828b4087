import { isTauri } from "@tauri-apps/api/core";
import { BackendError, type Backend } from "./backend";
import { tauri } from "./tauri";

export { asError, BackendError, type Backend, type Drop, type OnStep, type PostmortemOrigin } from "./backend";

/**
 * The program behind this window. In development a plain browser gets a made-up one, so that screens can be drawn
 * without a cluster; it is left out of what is shipped.
 */
export async function connect(): Promise<Backend> {
  if (isTauri()) return tauri;
  if (import.meta.env.DEV) {
    const { fakeFromAddress } = await import("./fake");
    return fakeFromAddress(location.search);
  }
  throw new BackendError("This page belongs to the Afterwatch window and shows nothing in a browser.");
}
