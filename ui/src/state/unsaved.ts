/** Who holds something typed that is not in the record. Tells when there is somebody, and when there is nobody left. */
export class Unsaved {
  #holders = new Set<object>();
  #tell: (is: boolean) => void;

  constructor(tell: (is: boolean) => void) {
    this.#tell = tell;
  }

  set(holder: object, is: boolean): void {
    const before = this.#holders.size > 0;
    if (is) this.#holders.add(holder);
    else this.#holders.delete(holder);
    const after = this.#holders.size > 0;
    if (before !== after) this.#tell(after);
  }
}
