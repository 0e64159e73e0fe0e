import { Session } from "@latscope/proto";
import { z } from "zod";
import type { Principal } from "../auth/principal.js";
import type { SessionRecord } from "../session/record.js";
import { timestamp } from "../session/time.js";

/** Changes when an older service could not read what is written. */
const version = 1;

const strings = z.array(z.string());
const numbers = z.array(z.number().int());

const principal = z.strictObject({
  kind: z.enum(["unix", "certificate", "token", "insecure"]),
  name: z.string(),
  uid: z.number().int().optional(),
  gids: numbers.optional(),
  uris: strings,
  dnsNames: strings,
  subject: z.string().optional(),
  claims: z.record(z.string(), z.unknown()).optional(),
});

const entry = z.strictObject({
  /** For a person; the message has it, too. */
  name: z.string(),
  principal,
  /** A latscope.v1.Session: name, display_name, labels, spec, create_time, start_time. */
  session: z.base64(),
});

const file = z.strictObject({ version: z.literal(version), sessions: z.array(entry) });

/** A session that ran when it was written down. */
export interface Remembered {
  readonly principal: Principal;
  readonly session: Session;
}

/** Running sessions that are to come back, as text. */
export function toText(records: readonly SessionRecord[]): string {
  const sessions = records.map((record) => {
    const { name, displayName, labels, spec, principal, createdAt, runsSince = createdAt } = record;
    const message = Session.fromPartial({
      name,
      displayName,
      labels: { ...labels },
      spec,
      createTime: timestamp(createdAt),
      startTime: timestamp(runsSince),
    });
    return { name, principal, session: Buffer.from(Session.encode(message).finish()).toString("base64") };
  });
  return `${JSON.stringify({ version, sessions }, undefined, 1)}\n`;
}

/** @throws Error that says why the text is not what `toText` has written */
export function fromText(text: string): Remembered[] {
  const read: unknown = JSON.parse(text);
  if (typeof read === "object" && read !== null && "version" in read && read.version !== version) {
    throw new Error(`is of version ${String(read.version)}, and this service knows ${version}`);
  }
  const parsed = file.safeParse(read);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "cannot be used"}`);
  }
  return parsed.data.sessions.map(({ principal, session }) => ({
    principal: withoutUndefined(principal),
    session: Session.decode(Buffer.from(session, "base64")),
  }));
}

function withoutUndefined({ uid, gids, subject, claims, ...rest }: z.infer<typeof principal>): Principal {
  return {
    ...rest,
    ...(uid === undefined ? {} : { uid }),
    ...(gids === undefined ? {} : { gids }),
    ...(subject === undefined ? {} : { subject }),
    ...(claims === undefined ? {} : { claims }),
  };
}
