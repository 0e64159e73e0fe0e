import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from "yaml";
import type { $ZodIssue } from "zod/v4/core";
import { ConfigError } from "../../config/error.js";
import { keyOf } from "../../config/name.js";
import type { Principal } from "../principal.js";
import { authority, defaultPolicy, type Policy } from "./authority.js";
import { matches } from "./matcher.js";
import { policySchema, type PolicyFile } from "./schema.js";

/** Reads the text of a policy file. @throws ConfigError naming each line that is wrong */
export function parsePolicy(path: string, text: string): Policy {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const lineAt = (offset: number | undefined): number => (offset === undefined ? 1 : counter.linePos(offset).line);
  const fail = (problems: [line: number, message: string][]): never => {
    const sorted = problems.sort(([a], [b]) => a - b);
    throw new ConfigError(sorted.map(([line, message]) => `${path}:${line}: ${message}`).join("\n"));
  };
  if (document.errors.length > 0) fail(document.errors.map(({ pos, message }) => [lineAt(pos[0]), message]));
  const result = policySchema.safeParse(valueOf(document.contents));
  if (result.success) return policyOf(result.data);
  return fail(
    result.error.issues.map(innermost).map((issue) => {
      const at = place(document.contents, issue.path);
      const where = issue.path.map((part) => (typeof part === "number" ? `[${part}]` : kebab(String(part)))).join(".");
      return [
        lineAt(at?.range?.[0]),
        [where.replaceAll(".[", "["), messageOf(issue)].filter((it) => it !== "").join(": "),
      ];
    }),
  );
}

/** The first rule that names a principal decides. */
function policyOf({ rules, redaction: ofRoles }: PolicyFile): Policy {
  const authorities = rules.map(({ name, role, targets, redaction, quota }) =>
    authority({ rule: name, role, targets, redaction: redaction ?? ofRoles?.[role], quota }),
  );
  return {
    authorityOf: (principal: Principal) => {
      // What the service does on behalf of its own files is no matter of who calls.
      if (principal.kind === "file") return defaultPolicy.authorityOf(principal);
      const at = rules.findIndex(({ principals }) => principals.some((matcher) => matches(matcher, principal)));
      return authorities[at];
    },
  };
}

/** Of something that may be one thing or another, what is wrong with the one that was meant: whose complaint is deepest. */
function innermost(issue: $ZodIssue): $ZodIssue {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.flat().map(innermost);
  const deepest = inner.reduce<$ZodIssue | undefined>(
    (best, next) => (best === undefined || next.path.length > best.path.length ? next : best),
    undefined,
  );
  if (deepest === undefined || (deepest.path.length === 0 && deepest.code === "invalid_value")) {
    return { ...issue, message: 'is neither "all" nor a list of what is allowed' };
  }
  return { ...deepest, path: [...issue.path, ...deepest.path] };
}

function messageOf(issue: $ZodIssue): string {
  if (issue.code === "unrecognized_keys")
    return `there is no ${issue.keys.map((key) => JSON.stringify(kebab(key))).join(", ")} here`;
  return issue.message;
}

/** What the file says, with keys as the schema has them. Claims have names of their own. */
function valueOf(node: Node | null, own = false): unknown {
  if (isMap<Node, Node | null>(node)) {
    return Object.fromEntries(
      node.items.map(({ key, value }) => {
        const name = isScalar(key) ? String(key.value) : String(key);
        return [own ? name : camel(name), valueOf(value, name === "claims")];
      }),
    );
  }
  if (isSeq<Node>(node)) return node.items.map((item) => valueOf(item));
  return isScalar(node) ? node.value : undefined;
}

/** The innermost part of the file that a path leads to; for a key's value, the key. */
function place(root: Node | null, path: readonly PropertyKey[]): Node | undefined {
  let found: Node | undefined;
  let at: Node | null = root;
  for (const part of path) {
    if (isMap<Node, Node | null>(at)) {
      const pair = at.items.find(
        ({ key }) => isScalar(key) && [String(key.value), camel(String(key.value))].includes(String(part)),
      );
      if (pair === undefined) break;
      found = pair.key;
      at = pair.value;
    } else if (isSeq<Node>(at)) {
      const item: Node | undefined = at.items[Number(part)];
      if (item === undefined) break;
      found = item;
      at = item;
    } else break;
  }
  return found;
}

/** `network-namespaces` -> `networkNamespaces`; a key that is in camel case is none. */
function camel(name: string): string {
  return /[A-Z]/.test(name) ? `-${name}` : name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function kebab(name: string): string {
  return name.startsWith("-") ? name.slice(1) : keyOf(name);
}
