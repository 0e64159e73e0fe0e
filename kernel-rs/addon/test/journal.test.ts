import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sendToJournal } from "../index.js";

let folder = "";
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), "latscope-"))));
afterEach(() => rm(folder, { recursive: true }));

/** Says when it listens, then prints each datagram as a JSON string. */
const receiver = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("ready", flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`;

it("sends an entry as one datagram, and says when nobody takes it", async () => {
  const socket = join(folder, "journal");
  expect(() => {
    sendToJournal(socket, Buffer.from("MESSAGE=early\n"));
  }).toThrow(/No such file/);
  const process = spawn("python3", ["-c", receiver, socket], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  try {
    expect((await lines.next()).value).toBe("ready");
    sendToJournal(socket, Buffer.from("MESSAGE={}\nPRIORITY=6\n"));
    sendToJournal(socket, Buffer.from("MESSAGE=two\n"));
    expect(JSON.parse(String((await lines.next()).value))).toBe("MESSAGE={}\nPRIORITY=6\n");
    expect(JSON.parse(String((await lines.next()).value))).toBe("MESSAGE=two\n");
  } finally {
    process.kill();
    await once(process, "close");
  }
  expect(() => {
    sendToJournal(socket, Buffer.from("MESSAGE=late\n"));
  }).toThrow(/Connection refused/);
});
