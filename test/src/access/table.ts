import { Service } from "../harness/service.js";
import { inRepository } from "../harness/paths.js";
import { Scope } from "../harness/scope.js";
import { Namespace } from "../harness/netns.js";
import { calls } from "./calls.js";
import { makeCast } from "./cast.js";
import { columns, type Row } from "./walk.js";

const PORT = 4317;

/** What came of every call by everybody, from calls to a service of its own. */
export async function accessTable(): Promise<string> {
  const scope = new Scope();
  try {
    const namespace = await Namespace.create(scope);
    const { flags, proofs } = await makeCast(scope);
    await Service.start(scope, namespace, { flags: ["--listen", `127.0.0.1:${PORT}`, ...flags] });
    const process = [globalThis.process.execPath, inRepository("test/dist/access/walk-process.js")];
    // The certificate is for that name, which stands for 127.0.0.1 in every namespace.
    const input = JSON.stringify({ address: `localhost:${PORT}`, proofs });
    const [certificates = [], tokens = []] = JSON.parse(
      await namespace.output(process, { input, timeoutMs: 120_000 }),
    ) as Row[][];
    if (JSON.stringify(certificates) !== JSON.stringify(tokens)) {
      throw new Error(`what certificates may differs from what tokens may:\n${table(certificates)}\n${table(tokens)}`);
    }
    return table(certificates);
  } finally {
    await scope.close();
  }
}

function table(rows: readonly Row[]): string {
  const cells = [
    ["call", ...columns.map(({ title }) => title)],
    ...rows.map((row, at) => [
      `\`${calls[at]?.name ?? ""}\``,
      ...row.map((cell) => (cell === "yes" ? cell : `\`${cell}\``)),
    ]),
  ];
  const widths = columns.concat(columns[0] ?? []).map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const lines = cells.map((row) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`);
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}
