// What this page itself has stored: its changes come back with the event stream, and are no news to who made them.

/** The stream reports a change within seconds. */
const KEPT_MS = 30_000;
const writes = new Map<string, number>();

export function noteOwnWrite(layer: string, id: string): void {
  writes.set(`${layer}/${id}`, Date.now());
}

export function isOwnWrite(layer: string, id: string): boolean {
  const at = writes.get(`${layer}/${id}`);
  return at !== undefined && Date.now() - at < KEPT_MS;
}
