import {
  fromJson,
  toBinary,
  type DescField,
  type DescMessage,
  type JsonValue,
  type Registry,
} from "@bufbuild/protobuf";
import { closestMatch } from "leven";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from "yaml";
import { schemaOf } from "../auth/policy/json-message.js";
import { reasonOf } from "../failure/reason-of.js";

/** Further from every known field than this, an unknown one is no slip of the pen. */
const nearEnough = 4;

/** A line, from 1 on, and what is wrong with it. */
export type Problem = readonly [line: number, message: string];

/** What a text in YAML or JSON comes to. */
export interface YamlMessage {
  /** The message; what cannot be used is left out when there are problems. */
  readonly bytes: Uint8Array;
  readonly problems: readonly Problem[];
  /** @param path `spec.filters[0].cidrs[1]` @returns the line of as much of it as is written */
  readonly lineOf: (path: string) => number;
}

/** Reads a message of the contract from the JSON form of protobuf, written as YAML or JSON. */
export async function messageFromYaml(type: string, text: string): Promise<YamlMessage> {
  const { schema, registry } = await schemaOf(type);
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const reader = new Reader(document, counter, registry);
  const lineOf = (path: string): number => reader.lineOf(path);
  const broken = [...document.errors, ...document.warnings].map(({ pos, message }): Problem => [
    counter.linePos(pos[0]).line,
    message,
  ]);
  if (broken.length === 0) broken.push(...reader.explosions());
  const problems = broken.length > 0 ? broken : reader.problemsOf(schema, document.contents);
  if (problems.length > 0) return { bytes: new Uint8Array(), problems, lineOf };
  return { bytes: toBinary(schema, fromJson(schema, reader.plain(document.contents), { registry })), problems, lineOf };
}

/** Finds out where in a document what cannot be read is. */
class Reader {
  readonly #document: Document;
  readonly #counter: LineCounter;
  readonly #registry: Registry;

  constructor(document: Document, counter: LineCounter, registry: Registry) {
    this.#document = document;
    this.#counter = counter;
    this.#registry = registry;
  }

  /** Aliases that stand for more than anybody would write. */
  explosions(): Problem[] {
    try {
      this.plain(this.#document.contents);
      return [];
    } catch (error) {
      return [[1, reasonOf(error)]];
    }
  }

  /** The lines that keep a node from being a message. */
  problemsOf(schema: DescMessage, given: unknown): Problem[] {
    const node = this.#resolved(given);
    const whole = this.#failureOf(schema, this.plain(node));
    if (whole === undefined) return [];
    if (!isMap(node)) return [[this.#lineOf(node), whole]];
    const found = node.items.flatMap(({ key, value }): Problem[] => {
      const written = isScalar(key) ? String(key.value) : "";
      const line = this.#lineOf(key);
      const field = schema.fields.find(({ name, jsonName }) => name === written || jsonName === written);
      if (field === undefined) return isWellKnown(schema) ? [] : [[line, unknownField(schema, written)]];
      const failure = this.#failureOf(schema, { [written]: this.plain(value) });
      if (failure === undefined) return [];
      const inside = this.#problemsInside(field, value);
      return inside.length > 0 ? inside : [[line, `${written}: ${failure}`]];
    });
    // Each field is right, and they do not go together.
    return found.length > 0 ? found : [[this.#lineOf(node), whole]];
  }

  lineOf(path: string): number {
    let node: unknown = this.#document.contents;
    let line = 1;
    for (const [, name, index] of path.matchAll(/([A-Za-z]\w*)|\[(\d+)\]/g)) {
      node = this.#resolved(node);
      if (name !== undefined && isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && snake(String(key.value)) === snake(name));
        if (pair === undefined) break;
        line = this.#lineOf(pair.key);
        node = pair.value;
      } else if (index !== undefined && isSeq(node)) {
        node = node.items[Number(index)];
        line = this.#lineOf(node);
      } else {
        break;
      }
    }
    return line;
  }

  /** A node as JSON. */
  plain(node: unknown): JsonValue {
    const resolved = this.#resolved(node);
    if (!isMap(resolved) && !isSeq(resolved) && !isScalar(resolved)) return null;
    return resolved.toJS(this.#document, { maxAliasCount: 100 }) as JsonValue;
  }

  #problemsInside(field: DescField, given: unknown): Problem[] {
    const value = this.#resolved(given);
    if (field.fieldKind === "message") return this.problemsOf(field.message, value);
    if (field.fieldKind === "list" && field.listKind === "message" && isSeq(value)) {
      return value.items.flatMap((item) => this.problemsOf(field.message, item));
    }
    return [];
  }

  #failureOf(schema: DescMessage, json: JsonValue): string | undefined {
    try {
      fromJson(schema, json, { registry: this.#registry });
      return undefined;
    } catch (error) {
      const message = reasonOf(error);
      return message.replace(/^cannot decode (?:message|field) (\S+) from JSON: /, "is no $1: ");
    }
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #lineOf(node: unknown): number {
    const { range } = (node ?? {}) as { range?: [number, number, number] | null };
    return range ? this.#counter.linePos(range[0]).line : 1;
  }
}

/** Whether its JSON is not that of its fields. */
function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

function unknownField({ fields, typeName }: DescMessage, written: string): string {
  const nearest = closestMatch(
    snake(written),
    fields.map(({ name }) => name),
    { maxDistance: nearEnough },
  );
  const hint = nearest === undefined ? "docs/api.md has all that there are" : `did you mean "${nearest}"?`;
  return `${typeName} has no field "${written}"; ${hint}`;
}

/** `serverPorts` -> `server_ports`, as the contract writes it. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
