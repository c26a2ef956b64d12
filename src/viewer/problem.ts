// Problem details of the server (RFC 9457) in the language of the page.
import type { Fault } from "./fault";
import { language, say } from "./language";
import { words, type Word } from "./words";

/** What the server says about a request that it refused. */
export type Problem = { type?: string; title?: string; detail?: string; parameter?: string; value?: unknown; accepted?: unknown; fault?: Fault };

const PREFIX = "urn:problem-type:onemap:";

/** The kind of a problem, such as `invalid-content`. */
export function kindOf({ type }: Problem): string | undefined {
  return type?.startsWith(PREFIX) ? type.slice(PREFIX.length) : undefined;
}

/** What is wrong and what to do. The detail, which is in English, follows where the Chinese does not say everything. */
export function explain(problem: Problem): string | undefined {
  const kind = kindOf(problem);
  if (kind === "invalid-parameter" && SHAPES.has(problem.parameter ?? "")) return say("problemShape");
  const word = wordOf(kind ?? "");
  if (!word) return problem.detail ?? problem.title;
  if (!problem.detail || word in COMPLETE) return say(word);
  return language() === "zh" ? `${say(word)}（${problem.detail}）` : `${say(word)} (${problem.detail})`;
}

/** Parameters with a shape that was drawn on the map. */
const SHAPES: ReadonlySet<string> = new Set(["near"]);

/** Problems about which the detail tells the officer nothing more. */
const COMPLETE: Partial<Record<Word, true>> = {
  problemUnauthorized: true, problemExpired: true, problemUnavailable: true, problemInsufficientStorage: true, problemOutcomeUnknown: true,
  problemTimeout: true, problemTooManyRequests: true, problemRateLimited: true, problemWritesDisabled: true, problemLoopbackOnly: true,
  problemBodyTimeout: true, problemFeatureNotFound: true, problemNotFound: true, problemChanged: true, problemRoleTooLow: true,
};

function wordOf(kind: string): Word | undefined {
  const word = `problem-${kind}`.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return word in words ? (word as Word) : undefined;
}
