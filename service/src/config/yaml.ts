import { closestMatch } from "leven";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from "yaml";
import { ConfigError } from "./error.js";
import { keyOf } from "./name.js";
import { fileKeys, listenerKeys, type ConfigFile, type RawValue } from "./file.js";

/** Further from every known key than this, an unknown one is no slip of the pen. */
const nearEnough = 4;

/** Reads the text of a configuration file. @throws ConfigError */
export function parseConfig(path: string, text: string): ConfigFile {
  const counter = new LineCounter();
  // In this schema everything is text: what a value means is the options' business, the same for flags and variables.
  const document = parseDocument(text, { lineCounter: counter, schema: "failsafe", prettyErrors: false });
  const lines = new Map<string, number>();
  const problems: [line: number, message: string][] = document.errors.map(({ pos, message }) => [
    counter.linePos(pos[0]).line,
    message,
  ]);
  const lineOf = (node: unknown): number => {
    const { range } = node as { range?: [number, number, number] | null };
    return range ? counter.linePos(range[0]).line : 1;
  };

  const entriesOf = (
    map: YAMLMap,
    keys: ReadonlyMap<string, string>,
    at: readonly PropertyKey[],
  ): [string, unknown][] => {
    return map.items.flatMap(({ key, value }) => {
      const written = isScalar(key) ? String(key.value) : "";
      const name = keys.get(written);
      if (name === undefined) {
        const nearest = closestMatch(written, [...keys.keys()], { maxDistance: nearEnough });
        const hint =
          nearest === undefined ? "docs/configuration.md has all that there are" : `did you mean "${nearest}"?`;
        problems.push([lineOf(key), `there is no option "${written}"; ${hint}`]);
        return [];
      }
      lines.set(pathKey([...at, name]), lineOf(key));
      return [[name, value] as [string, unknown]];
    });
  };
  const valueOf = (node: unknown, name: string, line: number): RawValue | undefined => {
    if (isScalar(node)) return String(node.value);
    if (isSeq(node) && node.items.every((item) => isScalar(item))) {
      return node.items.map((item) => String(item.value));
    }
    problems.push([line, `${keyOf(name)} takes a value, or a list of values`]);
    return undefined;
  };
  const valuesOf = (
    map: YAMLMap,
    keys: ReadonlyMap<string, string>,
    at: readonly PropertyKey[],
  ): Record<string, RawValue> => {
    const pairs = entriesOf(map, keys, at).flatMap(([name, node]) => {
      const value = valueOf(node, name, lines.get(pathKey([...at, name])) ?? 1);
      return value === undefined ? [] : [[name, value] as const];
    });
    return Object.fromEntries(pairs);
  };

  const root = document.contents;
  const values: Record<string, RawValue> = {};
  const listeners: Record<string, RawValue>[] = [];
  if (root !== null && !isMap(root)) problems.push([1, "is no list of options such as `drain-timeout: 5s`"]);
  if (isMap(root)) {
    for (const [name, node] of entriesOf(root, fileKeys, [])) {
      const line = lines.get(name) ?? 1;
      if (name !== "listeners") {
        const value = valueOf(node, name, line);
        if (value !== undefined) values[name] = value;
      } else if (isSeq(node) && node.items.every((item) => isMap(item))) {
        for (const [index, entry] of node.items.entries()) {
          lines.set(pathKey([name, index]), lineOf(entry));
          listeners.push(valuesOf(entry, listenerKeys, [name, index]));
        }
      } else {
        problems.push([line, "listeners is a list of listeners, each with listen: HOST:PORT and what it needs"]);
      }
    }
  }
  if (problems.length > 0) {
    problems.sort(([a], [b]) => a - b);
    throw new ConfigError(problems.map(([line, message]) => `${path}:${line}: ${message}`).join("\n"));
  }
  return {
    path,
    values,
    listeners,
    lineOf: (at) => {
      // What is missing has no line of its own; what it is missing from has.
      for (let length = at.length; length > 0; length--) {
        const line = lines.get(pathKey(at.slice(0, length)));
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

function pathKey(at: readonly PropertyKey[]): string {
  return at.map(String).join(".");
}
