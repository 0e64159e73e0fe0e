// compare.js WHAT SNAPSHOT TRACER: the figures of a session's snapshot, which has one group, and those of a bpftrace program, one
// line each, in microseconds.
import { readFileSync } from "node:fs";

const [what, snapshot, tracer] = process.argv.slice(2);
const { groups } = JSON.parse(readFileSync(snapshot, "utf8"));
const [group] = groups ?? [];
const text = readFileSync(tracer, "utf8");
const traced = (name) => Number(new RegExp(`^@${name}: (\\d+)$`, "m").exec(text)?.[1] ?? NaN);

for (const [tool, count, ...ns] of [
  ["latscope", group?.count, group?.min_seconds * 1e9, group?.mean_seconds * 1e9, group?.max_seconds * 1e9],
  ["bpftrace", traced("count"), traced("least"), traced("sum") / traced("count"), traced("most")],
]) {
  const figures = ns.map((it) => (it / 1000).toFixed(1).padStart(10)).join(" ");
  console.log(`${what.padEnd(28)} ${tool.padEnd(9)} ${String(count).padStart(8)} ${figures}`);
}
