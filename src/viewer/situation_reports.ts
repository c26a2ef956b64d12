// The situation reports of an incident in its card, the latest first.
import { items, type Catalog, type Layer, type Properties } from "./api";
import { element } from "./element";
import { codeLabel, fieldValue, number, time } from "./format";
import { pick, say } from "./language";

/** Reports that a card lists; the printed report has all. */
const LISTED = 5;

/** The layer with the reports of incidents, if the caller may read it. */
export function reportLayer(catalog: Catalog): Layer | undefined {
  return catalog.layers.find((layer) => layer.roles.situation_report);
}

/** The latest reports; undefined if there are none. */
export async function situationReports(catalog: Catalog, incident: string, signal: AbortSignal): Promise<HTMLElement | undefined> {
  const layer = reportLayer(catalog);
  const role = layer?.roles.situation_report;
  if (!layer || !role) return undefined;
  const start = layer.roles.time?.start ?? "id";
  const { features, numberMatched } = await items(layer.id, { [role.incident]: incident, sortby: `-${start}`, limit: String(LISTED) }, signal);
  if (features.length === 0) return undefined;
  const more = numberMatched - features.length;
  return element("section", { class: "situation-reports", "data-list": "reports" },
    element("h3", {}, pick(layer.title)),
    element("ol", {}, ...features.map(({ properties }) => report(catalog, layer, role.figures, properties, properties[start]))),
    more > 0 ? element("p", { class: "quiet" }, `${say("andMore")} ${number(more)}`) : undefined);
}

function report(catalog: Catalog, layer: Layer, figures: readonly string[], properties: Properties, asOf: unknown): HTMLElement {
  const kind = layer.fields.find(({ name }) => name === "report")?.codes;
  const head = [
    typeof asOf === "string" ? time(asOf) : say("unknown"),
    kind && properties.report !== null ? codeLabel(catalog.codes[kind], properties.report) : "",
    String(properties.name ?? ""),
  ];
  // Zero is a figure; what is not stated is left out.
  const stated = layer.fields.filter(({ name }) => figures.includes(name)).flatMap((field) => {
    const value = fieldValue(field, properties, catalog.codes);
    return value === undefined ? [] : `${pick(field.title)} ${value}`;
  });
  return element("li", {},
    element("p", { class: "quiet" }, head.filter(Boolean).join(" · ")),
    properties.summary ? element("p", {}, String(properties.summary)) : undefined,
    stated.length > 0 ? element("p", { class: "figures" }, stated.join(say("listComma"))) : undefined);
}
