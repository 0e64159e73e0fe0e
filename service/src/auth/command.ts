import { Command, InvalidArgumentError, Option } from "commander";
import { orComplain } from "../config/complain.js";
import type { QuestionFlags } from "./policy/question.js";
import { tokenCommand } from "./token-command.js";

/**
 * The command `auth`, with `auth check`: what the service would answer somebody, and why, and `auth token`. They need no service.
 */
export function authCommand(): Command {
  const check = new Command("check")
    .description("explain what somebody may do: exit code 0 = allowed, 1 = denied, 2 = wrong usage")
    .allowExcessArguments(false)
    .option("--policy <file>", "the policy file (default: what holds without one)")
    .addOption(new Option("--uid <uid>", "who asks: a local user").argParser(id))
    .addOption(new Option("--gid <gid>", "a group of theirs; may be given more than once").argParser(each(id)))
    .addOption(
      new Option("--uri <uri>", "who asks: a URI of a client certificate; may be given more than once").argParser(
        each(text),
      ),
    )
    .addOption(
      new Option("--dns <name>", "who asks: a DNS name of a client certificate; may be given more than once").argParser(
        each(text),
      ),
    )
    .option("--subject <subject>", "who asks: the subject of a token")
    .addOption(
      new Option(
        "--claim <name=value>",
        "a claim of that token, in JSON or text; may be given more than once",
      ).argParser(each(claim)),
    )
    .option("--insecure", "who asks: somebody on plaintext TCP")
    .requiredOption("--method <method>", "what is called, such as CreateSession")
    .option("--spec <file>", "the SessionSpec of the request, in JSON")
    .option(
      "--session <file>",
      "the Session that the call is about, in JSON, as `latscope sessions get --json` prints it",
    )
    .option("--json", "one JSON object");
  check.action(async ({ json, ...flags }: QuestionFlags & { json?: true }) => {
    process.exitCode = await orComplain(() => run(flags, json === true));
  });
  return new Command("auth").description("who may do what").addCommand(check).addCommand(tokenCommand());
}

async function run(flags: QuestionFlags, json: boolean): Promise<number> {
  // Whoever asks for help does not wait for these.
  const { questionFrom } = await import("./policy/question.js");
  const { explain } = await import("./policy/explain.js");
  const { explanationJson, explanationLines } = await import("./policy/report.js");
  const question = await questionFrom(flags);
  const explanation = await explain(question);
  const lines = json ? [explanationJson(question, explanation)] : explanationLines(question, explanation);
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return explanation.allowed ? 0 : 1;
}

function each<T>(parse: (text: string) => T): (text: string, earlier: T[] | undefined) => T[] {
  return (text, earlier) => [...(earlier ?? []), parse(text)];
}

function text(given: string): string {
  return given;
}

function id(given: string): number {
  if (/^\d{1,10}$/.test(given)) return Number(given);
  throw new InvalidArgumentError("it is a number");
}

function claim(given: string): [string, unknown] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(given) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("it is NAME=VALUE");
  try {
    return [name, JSON.parse(value)];
  } catch {
    return [name, value];
  }
}
