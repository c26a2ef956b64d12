// What was typed into a form and is not stored yet survives a reload of the page, for the same account in the same tab.
import type { Geometry } from "geojson";
import type { Properties } from "./api";

const KEPT_AS = "onemap.draft";

export type Draft = {
  account: string | null;
  layer: string;
  /** Without one the feature is new. */
  id?: string;
  /** The state that the form changes. */
  tag: string;
  stored: Properties;
  storedGeometry: Geometry | null;
  /** The values in the form that differ from those stored; never of sensitive fields. */
  values: Properties;
  geometry: Geometry | null;
};

export function keepDraft(draft: Draft): void {
  try {
    sessionStorage.setItem(KEPT_AS, JSON.stringify(draft));
  } catch {
    // Without storage, what was typed lasts until the page is closed.
  }
}

export function keptDraft(account: string | null): Draft | undefined {
  try {
    const draft = JSON.parse(sessionStorage.getItem(KEPT_AS) ?? "null") as Draft | null;
    return draft?.account === account ? draft : undefined;
  } catch {
    return undefined;
  }
}

export function dropDraft(): void {
  try {
    sessionStorage.removeItem(KEPT_AS);
  } catch {
    // Nothing was kept.
  }
}
