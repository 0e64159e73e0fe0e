import { Option, type Command } from "commander";
import { Replay, type ReplayOptions } from "../replay/replay.js";
import { flag } from "../spec/flag.js";
import { cidr, each } from "../spec/parse.js";
import { Interrupt } from "../terminal/interrupt.js";
import { isReaderGone } from "../terminal/output.js";
import { complain, type Program } from "./action.js";

interface ReplayFlags {
  json?: boolean;
  samples?: boolean;
  local?: string[];
  tunnels: "inner" | "outer";
  vlans: "together" | "separate";
}

/** `latscope replay`: captures through the same programs as live traffic, without a service. */
export function addReplay(parent: Command, program: Program): void {
  parent
    .command("replay <file...>")
    .description("measure in pcap and pcapng captures, by the capture's clock; needs root, but no service")
    .option("--json", "one JSON object a line, integers exact; the summary goes to stderr")
    .option("--samples", "show each sample, not only the summary")
    .addOption(flag("--local <cidr>", "the host that captured; without it, whoever opened a flow", each(cidr)))
    .addOption(
      new Option("--tunnels <which>", "measure inside tunnels, or their outer packets")
        .choices(["inner", "outer"])
        .default("inner"),
    )
    .addOption(
      new Option("--vlans <how>", "whether packets of different VLANs can be of one flow, as on a mirror port")
        .choices(["together", "separate"])
        .default("together"),
    )
    .addHelpText("after", "\nFor example: latscope replay incident.pcapng --local 10.0.0.7")
    .action(async (files: string[], flags: ReplayFlags) => {
      program.setCode(await replay(files, optionsFrom(flags), program));
    });
}

function optionsFrom({ json, samples, local, tunnels, vlans }: ReplayFlags): ReplayOptions {
  return {
    json: json === true,
    samples: samples === true,
    local: local ?? [],
    inner: tunnels === "inner",
    ignoreVlan: vlans === "together",
  };
}

async function replay(files: readonly string[], options: ReplayOptions, { outputs }: Program): Promise<number> {
  const interrupt = new Interrupt();
  const { gone } = outputs.out;
  const stop = AbortSignal.any([interrupt.signal, gone]);
  const replay = new Replay(outputs, options, stop);
  let code = 0;
  try {
    for (const file of files) {
      if (stop.aborted) break;
      const problem = await replay.file(file);
      if (problem === undefined) continue;
      code = 1;
      await complain(outputs, [problem.message]);
      if (problem.final) return code;
    }
    if (gone.aborted && !isReaderGone(gone.reason)) {
      await complain(outputs, [`cannot write: ${String(gone.reason)}`]);
      return 1;
    }
    await replay.sum();
    return code;
  } finally {
    interrupt.dispose();
  }
}
