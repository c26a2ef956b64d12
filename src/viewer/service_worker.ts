// Keeps the page, its tiles and its last answers, so that the map opens and answers while the server cannot be reached.
// Every request goes to the server first; a kept reply has a header that says when it was received.
import { KEPT_AT } from "./kept";

/** The parts of the service worker's scope that are used here; the types of the library exclude those of a page. */
type Scope = {
  registration: { scope: string };
  clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(name: "install" | "activate", act: (event: { waitUntil(done: Promise<unknown>): void }) => void): void;
  addEventListener(name: "fetch", act: (event: { request: Request; respondWith(reply: Promise<Response>): void }) => void): void;
  addEventListener(name: "message", act: (event: { data: unknown; waitUntil(done: Promise<unknown>): void }) => void): void;
};
const scope = self as unknown as Scope;

/** The server counts as unreachable if a reply does not begin within this time: that of the page for a whole reply. */
const PATIENCE_MS = 8_000;
/** Formats of downloads, which may be long and are not shown by the page. */
const DOWNLOADS = ["csv", "xlsx", "fgb", "geojsonseq", "kml", "shp"];

/** What is kept: paths below the root of the page, and how many of each; the oldest are dropped. */
const KINDS: readonly { cache: string; paths: RegExp; most: number }[] = [
  { cache: "onemap-page", paths: /^($|viewer\/)/, most: 80 },
  { cache: "onemap-tiles", paths: /^(tiles\/|styles\/)/, most: 3_000 },
  { cache: "onemap-answers", paths: /^(api\/(layers|nearest|routes|surroundings|search|coverage|audits|commitments|alerts|coordinates|clusters)|ogc\/collections\/[^/]+\/items)/, most: 400 },
];

scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));

scope.addEventListener("fetch", (event) => {
  const kind = kindOf(event.request.url);
  if (event.request.method === "GET" && kind && !event.request.headers.has("range")) {
    event.respondWith(answer(event.request, kind));
  }
});

/** `keep` lists what the page had loaded before; `forget` drops what another user may not see. */
scope.addEventListener("message", (event) => {
  const { keep, forget } = event.data as { keep?: string[]; forget?: boolean };
  if (keep) event.waitUntil(Promise.all(keep.map((url) => keepLoaded(url))));
  if (forget) event.waitUntil(Promise.all(KINDS.slice(1).map(({ cache }) => caches.delete(cache))));
});

type Kind = (typeof KINDS)[number];

/** A cache may exceed its limit by so many entries. */
const ADDED_PER_PRUNING = 50;
let added = 0;

function kindOf(url: string): Kind | undefined {
  if (!url.startsWith(scope.registration.scope)) return undefined;
  if (DOWNLOADS.includes(new URL(url).searchParams.get("f") ?? "")) return undefined;
  const path = url.slice(scope.registration.scope.length).split(/[?#]/)[0]!;
  return KINDS.find(({ paths }) => paths.test(path));
}

/** The page is the same for all parameters, and `v` only avoids other caches. */
function keyOf(url: string): string {
  const key = new URL(url);
  key.hash = "";
  if (key.href.split("?")[0] === scope.registration.scope) key.search = "";
  key.searchParams.delete("v");
  return key.href;
}

/** The reply of the server; only its beginning has a time limit, because a long one takes longer. */
async function begin(request: Request): Promise<Response> {
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(), PATIENCE_MS);
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, slow.signal]) });
  } finally {
    clearTimeout(timer);
  }
}

async function answer(request: Request, kind: Kind): Promise<Response> {
  try {
    const reply = await begin(request);
    void keep(request.url, reply.clone(), kind);
    return reply;
  } catch (failure) {
    const cache = await caches.open(kind.cache);
    const kept = await cache.match(keyOf(request.url));
    if (kept) return kept;
    throw failure;
  }
}

/** Keeps a reply with content, or one that says that there is none. */
async function keep(url: string, reply: Response, kind: Kind): Promise<void> {
  if (reply.status !== 200 && reply.status !== 204) return;
  const headers = new Headers(reply.headers);
  headers.set(KEPT_AT, String(Date.now()));
  const body = reply.status === 204 ? null : await reply.blob();
  try {
    const cache = await caches.open(kind.cache);
    // Put again, so that it counts as new.
    await cache.delete(keyOf(url));
    await cache.put(keyOf(url), new Response(body, { status: reply.status, headers }));
    // Listing thousands of entries for each new one would slow the map.
    added += 1;
    if (added % ADDED_PER_PRUNING !== 0) return;
    const keys = await cache.keys();
    await Promise.all(keys.slice(0, Math.max(0, keys.length - kind.most)).map((old) => cache.delete(old)));
  } catch {
    // Without room, nothing more is kept.
  }
}

async function keepLoaded(url: string): Promise<void> {
  const kind = kindOf(url);
  if (!kind) return;
  try {
    const reply = await begin(new Request(url));
    await keep(url, reply, kind);
  } catch {
    // It is kept when it is loaded again.
  }
}
