// What the service worker and the page agree on.

/** Header of a kept reply: when it was received, milliseconds since 1970. */
export const KEPT_AT = "x-onemap-kept-at";
