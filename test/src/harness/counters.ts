import type { Namespace } from "./netns.js";

/** One counter of the TCP stack of a namespace, by its name in /proc/net/snmp: "RetransSegs", "OutRsts", "InCsumErrors". */
export async function tcpCounter(namespace: Namespace, name: string): Promise<number> {
  const text = await namespace.output(["cat", "/proc/net/snmp"]);
  const [names, values] = text.split("\n").filter((line) => line.startsWith("Tcp:"));
  const at = names?.split(" ").indexOf(name) ?? -1;
  const value = values?.split(" ")[at];
  if (value === undefined) throw new Error(`there is no TCP counter ${name}`);
  return Number(value);
}
