import { createHash, timingSafeEqual } from "node:crypto";

/** Every call compares with each. */
const mostTokens = 1000;
const longestSubject = 255;

/** A token of the file: its hash, and whom it is for. */
interface Token {
  readonly subject: string;
  readonly hash: Buffer;
}

/** Tokens that are known by their hashes. */
export class Tokens {
  readonly #tokens: readonly Token[];

  private constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /**
   * Reads a file of lines `SUBJECT SHA256`, the hash in hexadecimal digits; `#` begins a comment.
   *
   * @throws Error naming each line that is none
   */
  static parse(path: string, text: string): Tokens {
    const problems: string[] = [];
    const tokens: Token[] = [];
    for (const [index, line] of text.split("\n").entries()) {
      const [subject = "", hash = "", ...more] = line.replace(/#.*/, "").trim().split(/\s+/);
      if (subject === "") continue;
      // A token itself, put there by mistake, must not be repeated.
      if (!/^[0-9a-f]{64}$/i.test(hash) || more.length > 0 || !isSubject(subject)) {
        problems.push(`${path}:${index + 1}: is not SUBJECT SHA256, the hash in 64 hexadecimal digits`);
      } else {
        tokens.push({ subject, hash: Buffer.from(hash, "hex") });
      }
    }
    if (tokens.length > mostTokens) problems.push(`${path}: has ${tokens.length} tokens, and may have ${mostTokens}`);
    if (problems.length > 0) throw new Error(problems.join("; "));
    return new Tokens(tokens);
  }

  /** Whom a token is for, if for anybody. Takes the same time whichever it is. */
  subjectOf(token: string): string | undefined {
    const hash = hashOf(token);
    let found: string | undefined;
    for (const { subject, hash: known } of this.#tokens) if (timingSafeEqual(hash, known)) found = subject;
    return found;
  }
}

/** Whether a token may be for it: it becomes a part of an owner's name, in answers, logs and on terminals. */
export function isSubject(subject: unknown): subject is string {
  return typeof subject === "string" && subject.length <= longestSubject && /^[^\s#\p{C}]+$/u.test(subject);
}

/** The hash by which a token is known. */
export function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
