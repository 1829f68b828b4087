// A KubeEvent as it is kept: named lines, the message last.

export interface KubeEvent {
  type: string;
  reason: string;
  object: string;
  /** How often it was seen; `null` where that is not said. */
  count: number | null;
  firstSeen: string | null;
  lastSeen: string | null;
  by: string;
  message: string;
}

/** `null` when the text is not one. */
export function kubeEvent(excerpt: string): KubeEvent | null {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(excerpt)?.[1]?.trim() ?? "";
  const reason = field("reason");
  const start = excerpt.search(/^message: /m);
  if (!reason || start < 0) return null;
  const time = (name: string) => (Number.isNaN(Date.parse(field(name))) ? null : field(name));
  const count = Number.parseInt(field("count"), 10);
  return {
    type: field("type"),
    reason,
    object: field("object"),
    count: Number.isNaN(count) ? null : count,
    firstSeen: time("first seen"),
    lastSeen: time("last seen"),
    by: field("reported by"),
    // A message may have lines of its own.
    message: excerpt.slice(start + "message: ".length).trim(),
  };
}
