import { expect, it } from "vitest";
import { addonError } from "../testing/collector-double.js";
import { Journal } from "./journal.js";

it("makes each line an entry with its fields", async () => {
  const sent: [string, string][] = [];
  const journal = new Journal((socket, entry) => void sent.push([socket, entry.toString()]), "/somewhere");
  await journal.write(['{"a":1}\n', '{"a":2}\n']);
  const entry = (a: number): string => `MESSAGE={"a":${a}}\nPRIORITY=6\nSYSLOG_IDENTIFIER=latscope-audit\n`;
  expect(sent).toEqual([
    ["/somewhere", entry(1)],
    ["/somewhere", entry(2)],
  ]);
});

it("says why an entry was not taken", async () => {
  const journal = new Journal(() => {
    throw addonError("INTERNAL", "INTERNAL", "send", "no room");
  });
  await expect(journal.write(["{}\n"])).rejects.toThrow(/^send: no room$/);
});
