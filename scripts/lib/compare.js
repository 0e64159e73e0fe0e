// compare.js WHAT SNAPSHOT TRACER: the figures of a session's snapshot and of a bpftrace program, one line each, in microseconds.
import { readFileSync } from "node:fs";

const [what, snapshot, tracer] = process.argv.slice(2);
const text = readFileSync(tracer, "utf8");
const traced = (name) => Number(new RegExp(`^@${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);

let [count, least, sum, most] = [0, Infinity, 0, 0];
for (const line of readFileSync(snapshot, "utf8").split("\n").filter(Boolean)) {
  const visit = (value) => {
    if (value === null || typeof value !== "object") return;
    if (value.count !== undefined && value.sum !== undefined) {
      count += Number(value.count);
      sum += nanoseconds(value.sum);
      least = Math.min(least, nanoseconds(value.min));
      most = Math.max(most, nanoseconds(value.max));
      return;
    }
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(JSON.parse(line));
}

/** A duration as JSON has it ("0.002058s"), or a number. */
function nanoseconds(value) {
  return typeof value === "string" && value.endsWith("s") ? Number(value.slice(0, -1)) * 1e9 : Number(value);
}

for (const [tool, n, a, b, c] of [
  ["latscope", count, least, sum / count, most],
  ["bpftrace", traced("count"), traced("least"), traced("sum") / traced("count"), traced("most")],
]) {
  const us = (ns) => (Number.isFinite(ns) ? ns / 1000 : 0).toFixed(1).padStart(10);
  console.log(`${what.padEnd(28)} ${tool.padEnd(9)} ${String(n).padStart(8)} ${us(a)} ${us(b)} ${us(c)}`);
}
