import type { Command } from "./keys";

type Handler = (command: Command) => boolean;

/** Who answers to a key: the newest part of the page first; what it does not know goes on to the one before. */
export class Commands {
  #handlers: Handler[] = [];

  /** Returns how to stop answering. */
  on(handler: Handler): () => void {
    this.#handlers.push(handler);
    return () => (this.#handlers = this.#handlers.filter((h) => h !== handler));
  }

  run(command: Command): boolean {
    return this.#handlers.toReversed().some((handler) => handler(command));
  }
}
