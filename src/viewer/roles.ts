// What the catalog says about the codes of a layer: which features are over, which roads are closed.
import type { Catalog, Code, Layer, Properties } from "./api";

/** Whether a feature of a layer of events has ended by its status; one of unknown status has not. */
export function hasEnded(layer: Layer | undefined, properties: Properties): boolean {
  const active = layer?.roles.active_area;
  const status = active && properties[active.field];
  return typeof status === "string" && !active!.codes.includes(status);
}

/** The status of events that have ended. */
export function endedStatus(catalog: Catalog, layer: Layer | undefined): Code["code"] | undefined {
  const active = layer?.roles.active_area;
  return active ? otherCode(catalog, layer, active) : undefined;
}

/** The first code of the field that is none of these. */
export function otherCode(catalog: Catalog, layer: Layer, { field, codes }: { field: string; codes: string[] }): Code["code"] | undefined {
  const list = layer.fields.find(({ name }) => name === field)?.codes;
  return catalog.codes[list ?? ""]?.find(({ code }) => !codes.includes(String(code)))?.code;
}
