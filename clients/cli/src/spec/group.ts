import { GroupBy } from "@latscope/proto";
import { InvalidArgumentError, Option, type Command } from "commander";
import { flag } from "./flag.js";
import { each } from "./parse.js";

const keys: Readonly<Record<string, GroupBy>> = {
  "client-prefix": GroupBy.CLIENT_PREFIX,
  "server-prefix": GroupBy.SERVER_PREFIX,
  "server-port": GroupBy.SERVER_PORT,
  interface: GroupBy.INTERFACE,
  comm: GroupBy.COMM,
  cgroup: GroupBy.CGROUP,
  subject: GroupBy.SUBJECT,
  protocol: GroupBy.PROTOCOL,
  result: GroupBy.RESULT,
  node: GroupBy.NODE,
};

/** The names of the keys in `Group.keys`, in the contract's order. */
export const groupKeys: readonly string[] = Object.keys(keys).map((name) => name.replace("-", "_"));

/** The flags that say how latencies are told apart, as commander hands them over. */
export interface GroupFlags {
  groupBy?: GroupBy[];
  ungrouped?: boolean;
}

/** Adds the flags of {@link GroupFlags}. */
export function addGroupFlags(command: Command): void {
  command
    .addOption(flag("--group-by <key>", `${Object.keys(keys).join(", ")}; with commas, or given again`, each(groupBy)))
    .addOption(
      new Option("--ungrouped", "by metric and probe alone, whatever a session groups by").conflicts("groupBy"),
    );
}

function groupBy(text: string): GroupBy {
  const found = keys[text.replace("_", "-")];
  if (found === undefined) throw new InvalidArgumentError(`It must be one of ${Object.keys(keys).join(", ")}.`);
  return found;
}
