import { NodeCapabilities, type Capability, type GetCapabilitiesResponse } from "@latscope/proto";
import type { Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import { call, type Connection } from "../connection/connect.js";
import { messageJson } from "../format/message.js";
import { longName } from "../format/metric.js";
import { table } from "../format/table.js";
import { printable } from "../format/text.js";
import { nodeLine } from "../stream/news.js";
import { complain, withConnection, type Program } from "./action.js";

/** `latscope capabilities`: what can be measured here, by which hook, and why not. */
export function addCapabilities(parent: Command, program: Program): void {
  const command = parent
    .command("capabilities")
    .description("what can be measured here, and what is missing for the rest");
  addAddressFlag(command.option("--json", "one JSON object for each node, integers exact"));
  command.action(({ json }: { json?: boolean }) =>
    withConnection(command, program, (connection) => show(connection, program, json === true)),
  );
}

async function show({ nodes: client }: Connection, { outputs }: Program, json: boolean): Promise<number> {
  const { nodes, failures } = await call<GetCapabilitiesResponse>((done) =>
    client.getCapabilities({ nodes: undefined }, done),
  );
  if (json) {
    const print = await messageJson("latscope.v1.NodeCapabilities");
    await outputs.out.writeLines(nodes.map((node) => print(NodeCapabilities.encode(node).finish())));
  } else {
    await outputs.out.writeLines(
      nodes.flatMap((node, index) => [...(index === 0 ? [] : [""]), ...capabilityLines(node)]),
    );
  }
  if (failures.length > 0) await complain(outputs, failures.map(nodeLine));
  return failures.length > 0 ? 1 : 0;
}

/** The table of a node, then what it is: `nodes/a: kernel 6.18.44, BTF, JIT; 19 of 25 metrics available`. */
export function capabilityLines({ node, kernelRelease, btf, jit, lockdown, capabilities }: NodeCapabilities): string[] {
  const rows = capabilities.map((capability) => [
    longName(capability.metric),
    hookCell(capability),
    minimumKernel(capability),
    capability.supported ? "yes" : "no",
    capability.supported ? "" : printable(capability.reason),
  ]);
  const kernel = [
    `kernel ${printable(kernelRelease)}`,
    btf ? "BTF" : "no BTF",
    jit ? "JIT" : "no JIT",
    ...(lockdown === "" || lockdown === "none" ? [] : [`lockdown ${printable(lockdown)}`]),
  ];
  const available = capabilities.filter(({ supported }) => supported).length;
  return [
    ...table([["METRIC", "HOOK", "MIN KERNEL", "HERE"], ...rows], ["left", "left", "left", "left", "left"]),
    `${printable(node)}: ${kernel.join(", ")}; ${available} of ${capabilities.length} metrics available`,
  ];
}

// The hook in use; where there is none, those that could serve.
function hookCell({ hook, hooks }: Capability): string {
  return printable(hook === "" ? hooks.map((each) => each.hook).join(", ") : hook);
}

function minimumKernel({ hook, hooks }: Capability): string {
  const candidates = hook === "" ? hooks : hooks.filter((each) => each.hook === hook);
  const [lowest = ""] = candidates
    .map(({ minimumKernel }) => minimumKernel)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return printable(lowest);
}
