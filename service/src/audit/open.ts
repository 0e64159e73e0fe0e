import type { Config } from "../config/schema.js";
import type { Logger } from "../log/logger.js";
import { RotatingFile } from "../output/rotating-file.js";
import { StandardOutput } from "../output/standard-output.js";
import { LineAudit, noAudit, type Audit } from "./audit.js";
import { Journal, journalIsThere, type SendToJournal } from "./journal.js";

const ownerOnly = 0o600;

/** The audit that is configured: to the journal where there is one, unless told otherwise. */
export async function openAudit(
  { audit, auditFileBytes, auditFiles }: Config,
  log: Logger,
  sendToJournal: SendToJournal,
): Promise<Audit> {
  const where = audit ?? ((await journalIsThere()) ? "journal" : "off");
  if (audit === undefined && where === "off")
    log.info("no audit: this host has no journal; --audit PATH writes a file");
  switch (where) {
    case "off":
      return noAudit;
    case "journal":
      return new LineAudit(new Journal(sendToJournal), log);
    case "stdout":
      return new LineAudit(new StandardOutput(), log);
    default: {
      const file = { path: where, maxBytes: auditFileBytes, keep: auditFiles, compress: true, mode: ownerOnly };
      return new LineAudit(new RotatingFile(file), log);
    }
  }
}
