import type { Command } from "./keys";

/** What a part of the page answers to now. What is not there, or `false`, goes on to the part before it. */
export type Answers = Partial<Record<Command, (() => unknown) | false | undefined>>;

/** Who answers to a command: the newest part of the page first; what it does not know goes on to the one before. */
export class Commands {
  #parts: (() => Answers)[] = [];

  /** `answers` is asked at every command, so it tells of the moment. Returns how to stop answering. */
  on(answers: () => Answers): () => void {
    this.#parts.push(answers);
    return () => (this.#parts = this.#parts.filter((part) => part !== answers));
  }

  /** Whether somebody would answer now. */
  can(command: Command): boolean {
    return this.#find(command) !== undefined;
  }

  /** False when nobody answered. */
  run(command: Command): boolean {
    const answer = this.#find(command);
    answer?.();
    return answer !== undefined;
  }

  #find(command: Command): (() => unknown) | undefined {
    for (const part of this.#parts.toReversed()) {
      const answer = part()[command];
      if (answer) return answer;
    }
    return undefined;
  }
}
