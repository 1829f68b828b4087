/** The time, told again each second, so that ages and spans go on by themselves. */
export class Clock {
  now = $state(0);
  #read: () => number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(read: () => number) {
    this.#read = read;
    this.now = read();
  }

  start(): void {
    this.#timer ??= setInterval(() => (this.now = this.#read()), 1000);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
