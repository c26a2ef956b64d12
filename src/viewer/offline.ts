// Starts the service worker, which keeps the page and its last answers for the time without a server.

/** Browsers offer service workers only on encrypted pages and on this machine. */
const isPossible = "serviceWorker" in navigator && window.isSecureContext;

/** Keeps this page and what it has loaded so far. */
export async function startOffline(): Promise<void> {
  if (!isPossible) return;
  try {
    await navigator.serviceWorker.register("service-worker.js", { scope: "./" });
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    active?.postMessage({ keep: [location.href, ...new Set(loaded)] });
  } catch (error) {
    console.warn(error);
  }
}

/** Drops everything that a user with other rights may not see. */
export function forgetAnswers(): void {
  if (isPossible) navigator.serviceWorker.controller?.postMessage({ forget: true });
}
