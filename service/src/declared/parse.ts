import { Session, SessionSpec } from "@latscope/proto";
import { parse as parsePath } from "node:path";
import { toFailure } from "../failure/answer.js";
import { checkDisplayName, checkLabels } from "../session/labels.js";
import { checkSessionId } from "../session/name.js";
import { messageFromYaml, snake, type Problem } from "./yaml-message.js";

/** As for a request; see server/options.ts. */
const maxBytes = 256 * 1024;

/** The fields of a Session that are for a file to say. */
const sayable = ["display_name", "labels", "spec"];

/** What a file says. */
export interface Declared {
  readonly id: string;
  readonly displayName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: SessionSpec;
  /** @param field of the session: `spec.filters[0]` @returns its line, from 1 on */
  readonly lineOf: (field: string) => number;
}

/** A file that declares no session; each line of the message is `FILE:LINE: what is wrong`. */
export class SessionFileError extends Error {
  override readonly name = "SessionFileError";
}

/**
 * Reads the session that a file declares: a latscope.v1.Session in YAML or JSON.
 *
 * @param file its name: `edge.yaml` declares sessions/edge
 * @throws SessionFileError naming each line that is wrong
 */
export async function parseSession(file: string, contents: Buffer): Promise<Declared> {
  if (contents.length > maxBytes) {
    throw new SessionFileError(`${file}:1: has ${contents.length} bytes, at most ${maxBytes} are allowed`);
  }
  const { bytes, problems, lineOf } = await messageFromYaml("latscope.v1.Session", contents.toString());
  refuse(file, problems);
  const message = Session.decode(bytes);
  const given = Object.keys(Session.toJSON(message) as object).map(snake);
  refuse(
    file,
    given
      .filter((field) => !sayable.includes(field))
      .map((field): Problem => [lineOf(field), `${field} is not for a file to say; ${sayable.join(", ")} are`]),
  );
  const { displayName, labels, spec } = message;
  const id = parsePath(file).name;
  try {
    checkSessionId(id, "file name");
    checkDisplayName(displayName, "display_name");
    checkLabels(labels, "labels");
  } catch (error) {
    throw new SessionFileError(describe(file, lineOf, error));
  }
  return { id, displayName, labels, spec: spec ?? SessionSpec.fromPartial({}), lineOf };
}

/** Why a session cannot be as a file says it: `FILE:LINE: what is wrong`. Throws what is no failure. */
export function describe(file: string, lineOf: (field: string) => number, error: unknown): string {
  const failure = toFailure(error);
  if (failure === undefined) throw error;
  const { message, details } = failure;
  const field = details.violations?.[0]?.field;
  return `${file}:${field === undefined ? 1 : lineOf(field)}: ${message}`;
}

function refuse(file: string, problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const sorted = [...problems].sort(([a], [b]) => a - b);
  throw new SessionFileError(sorted.map(([line, message]) => `${file}:${line}: ${message}`).join("\n"));
}
