import { expect, it } from "vitest";
import { capabilitiesToListen } from "./privileges.js";

const at = (port: number) => ({ address: { host: "127.0.0.1", port }, tls: undefined });

it.each([
  [[], undefined, []],
  [[4317, 0], 1024, []],
  [[4317, 443], undefined, ["CAP_NET_BIND_SERVICE"]],
  [[], 80, ["CAP_NET_BIND_SERVICE"]],
])("ports %j and %j take %j", (ports, health, expected) => {
  const healthListen = health === undefined ? undefined : at(health).address;
  expect(capabilitiesToListen({ listeners: ports.map(at), healthListen })).toEqual(expected);
});
