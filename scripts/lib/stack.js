// Reads `llvm-objdump -dr` of an eBPF object from standard input and prints, for the deepest chain of calls, its bytes of
// stack and the functions with theirs. Kernels before 6.11 let each function take a multiple of 32 bytes, and 512 is all.
// What is passed by address to a helper counts up to where it begins, as it does for the verifier.
import { readFileSync } from "node:fs";

const FRAME = 32;

const functions = new Map();
let current;
for (const line of readFileSync(0, "utf8").split("\n")) {
  const label = /^[0-9a-f]+ <([^>]+)>:/.exec(line)?.[1];
  if (label !== undefined) {
    // Labels inside a function begin with LBB.
    if (!label.startsWith("LBB")) functions.set(label, (current = { depth: 0, calls: new Set() }));
    continue;
  }
  if (current === undefined) continue;
  const offset = /\(r10 - (0x[0-9a-f]+|\d+)\)/.exec(line)?.[1] ?? /\br\d \+= -(0x[0-9a-f]+|\d+)$/.exec(line)?.[1];
  if (offset !== undefined && Number(offset) <= 512) current.depth = Math.max(current.depth, Number(offset));
  const callee = /R_BPF_64_32\s+(\S+)/.exec(line)?.[1];
  if (callee !== undefined) current.calls.add(callee);
}

const chains = new Map();
function deepest(name) {
  const known = chains.get(name);
  if (known !== undefined) return known;
  const { depth, calls } = functions.get(name);
  const below = [...calls].filter((callee) => functions.has(callee)).map(deepest);
  const worst = below.reduce((a, b) => (b.bytes > a.bytes ? b : a), { bytes: 0, path: [] });
  const own = Math.max(FRAME, Math.ceil(depth / FRAME) * FRAME);
  const chain = { bytes: own + worst.bytes, path: [`${name} ${depth}`, ...worst.path] };
  chains.set(name, chain);
  return chain;
}

const all = [...functions.keys()].map(deepest);
const { bytes, path } = all.reduce((a, b) => (b.bytes > a.bytes ? b : a));
console.log(`${bytes} ${path.join(", ")}`);
