// What is wrong with a value, a geometry or a row, in the language of the page. The server gives the kind and an English reason.
import type { Catalog, Field } from "./api";
import { limitsOf } from "./field_input";
import { distance } from "./format";
import { language, pick, say, unitWord } from "./language";
import { words, type Word } from "./words";

export type Fault = { kind: string; like?: string | null; distance_km?: number; is_swapped?: boolean; area?: string };

/** Codes that are listed; longer lists are cut. */
const SHOWN_CODES = 12;

/**
 * A fault in words.
 * @param reason the reason from the server, in English
 * @param field the field whose value is wrong
 */
export function explainFault(fault: Fault | undefined, reason: string, field: Field | undefined, codes: Catalog["codes"]): string {
  const word = wordOf(fault?.kind);
  if (!fault || !word || language() === "en") return reason;
  const said = say(word);
  switch (fault.kind) {
    case "unreadable": return `${said}（${reason}）`;
    case "wrong_type": return field ? `${said}${typeOf(field)}` : said;
    case "out_of_range": return `${said}${(field && limitsOf(field)) ?? ""}`;
    case "unknown_code": return `${said}${fault.like ? `${say("faultDidYouMean")}${fault.like}` : codesOf(field, codes)}`;
    case "outside_county": return `${said}${distance((fault.distance_km ?? 0) * 1000)}${fault.is_swapped ? say("faultSwapped") : say("faultCheckSystem")}`;
    case "inside_danger": return `${said}${fault.area ?? ""}`;
    default: return said;
  }
}

function wordOf(kind: string | undefined): Word | undefined {
  const word = `fault_${kind ?? ""}`.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return word in words ? (word as Word) : undefined;
}

function typeOf({ type, unit }: Field): string {
  const named = { boolean: "typeBoolean", integer: "typeInteger", real: "typeReal", text: "typeText", date: "typeDate", datetime: "typeTime", text_list: "typeList", json: "typeJson" } as const;
  return `${say(named[type as keyof typeof named] ?? "typeText")}${unit ? `（${unitWord(unit)}）` : ""}`;
}

function codesOf(field: Field | undefined, codes: Catalog["codes"]): string {
  const list = field?.codes ? codes[field.codes] ?? [] : [];
  if (list.length === 0) return "";
  return `${say("faultAccepted")}${list.slice(0, SHOWN_CODES).map(pick).join(say("listComma"))}${list.length > SHOWN_CODES ? "…" : ""}`;
}
