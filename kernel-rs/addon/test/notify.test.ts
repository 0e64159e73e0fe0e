import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { notifySupervisor } from "../index.js";

/** Says when it listens on an abstract socket, then prints the one datagram that it gets as a JSON string. */
const receiver = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + sys.argv[1])
print("ready", flush=True)
print(json.dumps(s.recv(65536).decode()), flush=True)
`;

it("sends assignments to an abstract socket, and says when nobody is there", async () => {
  const name = `latscope-test-${process.pid}`;
  const tell = (): void => {
    notifySupervisor(`@${name}`, "READY=1\nSTATUS=here");
  };
  expect(tell).toThrow(/Connection refused/);
  const receiving = spawn("python3", ["-c", receiver, name], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: receiving.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("ready");
  tell();
  expect(JSON.parse(String((await lines.next()).value))).toBe("READY=1\nSTATUS=here");
  await once(receiving, "close");
});
