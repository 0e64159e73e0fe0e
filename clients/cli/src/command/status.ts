import { HostStatus, type AuditStatus, type GetStatusResponse, type OverheadStatus } from "@latscope/proto";
import type { Command } from "commander";
import { addAddressFlag } from "../connection/address.js";
import { call, type Connection } from "../connection/connect.js";
import { bytes } from "../format/bytes.js";
import { span } from "../format/duration.js";
import { messageJson } from "../format/message.js";
import { table } from "../format/table.js";
import { printable } from "../format/text.js";
import { dateAndTime, nanoseconds } from "../format/time.js";
import { nodeLine } from "../stream/news.js";
import { complain, withConnection, type Program } from "./action.js";

/** `latscope status`: how the service is, and what it costs. */
export function addStatus(parent: Command, program: Program): void {
  const command = parent.command("status").description("how the service is, and what it costs");
  addAddressFlag(command.option("--json", "one JSON object for each node, integers exact"));
  command.action(({ json }: { json?: boolean }) =>
    withConnection(command, program, (connection) => show(connection, program, json === true)),
  );
}

async function show({ nodes: client }: Connection, { outputs }: Program, json: boolean): Promise<number> {
  const { nodes, failures } = await call<GetStatusResponse>((done) => client.getStatus({ nodes: undefined }, done));
  if (json) {
    const print = await messageJson("latscope.v1.HostStatus");
    await outputs.out.writeLines(nodes.map((node) => print(HostStatus.encode(node).finish())));
  } else {
    await outputs.out.writeLines(nodes.flatMap((node, index) => [...(index === 0 ? [] : [""]), ...statusLines(node)]));
  }
  if (failures.length > 0) await complain(outputs, failures.map(nodeLine));
  return failures.length > 0 ? 1 : 0;
}

/** A line for each figure. */
export function statusLines(status: HostStatus): string[] {
  const rows: [name: string, value: string][] = [
    ["node", printable(status.node)],
    ["version", printable(status.version)],
    ["since", dateAndTime(status.startTime)],
    ["sessions", status.sessions.toString()],
    ["streams", status.streams.toString()],
    ["samples", status.samples.toString()],
    ["resident", bytes(status.residentBytes)],
    ["CPU time", span(nanoseconds(status.cpuTime))],
    ["eBPF time", status.bpfTime === undefined ? "-" : span(nanoseconds(status.bpfTime))],
    ["kernel mem", bytes(status.kernelMemoryBytes)],
    ...(status.overhead === undefined ? [] : overheadRows(status.overhead)),
    ...(status.audit === undefined ? [] : auditRows(status.audit)),
  ];
  return table(rows, ["left", "left"]);
}

function overheadRows(overhead: OverheadStatus): [name: string, value: string][] {
  const { cpuShare, maxCpuShare, samplesPerSecond, stoppedSessions } = overhead;
  const percent = (share: number): string => `${(share * 100).toPrecision(3)} %`;
  const measured = cpuShare === undefined ? "-" : percent(cpuShare);
  const steps = [
    ...(samplesPerSecond === undefined ? [] : [`thinned to ${samplesPerSecond} samples a second`]),
    ...(stoppedSessions === 0n ? [] : [`${stoppedSessions} stopped`]),
  ];
  return [["eBPF share", [`${measured} of ${percent(maxCpuShare)} granted`, ...steps].join(", ")]];
}

function auditRows({ written, lost, failing }: AuditStatus): [name: string, value: string][] {
  const trouble = failing === "" ? [] : [printable(failing)];
  return [["audit", [`${written} lines`, ...(lost === 0n ? [] : [`${lost} lost`]), ...trouble].join(", ")]];
}
