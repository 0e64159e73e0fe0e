/** Longest string and list that are shown whole. */
const LONGEST_TEXT = 100;
const LONGEST_LIST = 2;

/** A message as a reader can take it in: long lists and texts are cut, and say so. */
export function shortened(value: unknown): unknown {
  if (typeof value === "string") return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT - 20)}…` : value;
  if (Array.isArray(value)) {
    const shown: unknown[] = value.slice(0, LONGEST_LIST).map(shortened);
    return value.length > LONGEST_LIST ? [...shown, `… and ${value.length - LONGEST_LIST} more`] : shown;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortened(inner)]));
}

/** Fields whose value zero is left out by JSON, and which may well be zero. */
const MAY_BE_ZERO =
  /\.(runCount|runTimeNs|samples|bpfTime|recursionMisses|jitedBytes|jit|btf|count|heartbeat|queuedBytes|refusals)\b/;

/** Which fields the examples of a document show, example by example: what must not change without a new document. */
export function shapeOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```json\n(.*?)^```$/gms)].flatMap(([, block], index) => {
    const messages = (block ?? "").split(/^(?=\{)/m).filter((text) => text.trim() !== "");
    const paths = new Set(messages.flatMap((text) => pathsOf(JSON.parse(text))));
    return [...paths]
      .filter((path) => !MAY_BE_ZERO.test(path))
      .sort()
      .map((path) => `${index + 1}${path}`);
  });
}

function pathsOf(value: unknown, at = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((inner) => pathsOf(inner, `${at}[]`));
  if (typeof value !== "object" || value === null) return [at];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, `${at}.${key}`));
}
