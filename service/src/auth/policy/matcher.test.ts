import { expect, it } from "vitest";
import type { Principal } from "../principal.js";
import { matches } from "./matcher.js";
import type { Matcher } from "./schema.js";

const nobody = { name: "", uris: [], dnsNames: [] };
const local: Principal = { ...nobody, kind: "unix", uid: 1000, gids: [1000, 44] };
const root: Principal = { ...nobody, kind: "unix", uid: 0 };
const certificate: Principal = {
  ...nobody,
  kind: "certificate",
  uris: ["spiffe://prod.example/ns/pay/sa/web"],
  dnsNames: ["Web.pay.example"],
};
const token: Principal = {
  ...nobody,
  kind: "token",
  subject: "alice",
  claims: { iss: "https://issuer.example", groups: ["sre", "pay"], level: 3 },
};
const insecure: Principal = { ...nobody, kind: "insecure" };

it.each<[Matcher, Principal, boolean]>([
  [{ uid: 1000 }, local, true],
  [{ uid: 0 }, local, false],
  [{ gid: 44 }, local, true],
  [{ gid: 45 }, local, false],
  [{ gid: 0 }, root, false],
  [{ uid: 0 }, certificate, false],
  [{ uri: "spiffe://prod.example/ns/pay/sa/*" }, certificate, true],
  [{ uri: "spiffe://prod.example/*" }, certificate, false],
  [{ uri: "spiffe://prod.example/**" }, token, false],
  [{ dns: "*.pay.example" }, certificate, true],
  [{ dns: "*.example" }, certificate, false],
  [{ uri: "spiffe://prod.example/**", dns: "other" }, certificate, false],
  [{ subject: "alice" }, token, true],
  [{ subject: "al*" }, token, false],
  [{ subject: "alice", claims: { iss: "https://issuer.example" } }, token, true],
  [{ subject: "alice", claims: { iss: "https://other.example" } }, token, false],
  [{ claims: { groups: "pay" } }, token, true],
  [{ claims: { groups: "pa" } }, token, false],
  [{ claims: { level: 3 } }, token, true],
  [{ claims: { level: "3" } }, token, false],
  [{ claims: { constructor: "x" } }, token, false],
  [{ claims: { groups: "pay" } }, local, false],
  [{ insecure: true }, insecure, true],
  [{ insecure: true }, local, false],
])("%j names %j: %s", (matcher, principal, named) => {
  expect(matches(matcher, principal)).toBe(named);
});
