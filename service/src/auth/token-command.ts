import { Command } from "commander";
import { randomBytes } from "node:crypto";
import { hashOf, isSubject } from "./tokens.js";

/** Tells what sort of secret it is to whoever finds one. */
const prefix = "latscope_";
const randomLength = 32;

/** The command `auth token`: makes a token, which the service will know by its hash. */
export function tokenCommand(): Command {
  return new Command("token")
    .description("make a token, and the line that a token file (--token-file) takes for it")
    .argument("<subject>", "whom the token is for")
    .allowExcessArguments(false)
    .action((subject: string, _options: unknown, command: Command) => {
      if (!isSubject(subject)) {
        command.error("error: the subject is a name of at most 255 characters, without spaces and #");
      }
      const token = prefix + randomBytes(randomLength).toString("base64url");
      const lines = [
        `for ${subject} alone, and not shown again:`,
        `  ${token}`,
        "for the token file:",
        `  ${subject} ${hashOf(token).toString("hex")}`,
      ];
      process.stdout.write(`${lines.join("\n")}\n`);
    });
}
