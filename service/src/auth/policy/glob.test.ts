import fc from "fast-check";
import { expect, it } from "vitest";
import { globMatches } from "./glob.js";

it.each([
  ["spiffe://a/ns/*/sa/web", "spiffe://a/ns/prod/sa/web", "/", true],
  ["spiffe://a/ns/*/sa/web", "spiffe://a/ns/prod/x/sa/web", "/", false],
  ["spiffe://a/**", "spiffe://a/ns/prod/sa/web", "/", true],
  ["spiffe://a/*", "spiffe://a.evil/x", "/", false],
  ["*.example.com", "a.example.com", ".", true],
  ["*.example.com", "a.b.example.com", ".", false],
  ["*.example.com", "axexample.com", ".", false],
  ["tcp_*", "tcp_rtt", "", true],
  ["tcp_?tt", "tcp_rtt", "", true],
  ["/usr/bin/?", "/usr/bin//", "/", false],
  ["a[b]{c}$^|(d)+\\", "a[b]{c}$^|(d)+\\", "/", true],
  ["a.c", "abc", "", false],
  ["", "", "", true],
  ["*", "line\nbreak", "/", true],
])("%j and %j", (pattern, name, separator, matched) => {
  expect(globMatches(pattern, name, separator)).toBe(matched);
});

it("matches a name without wildcards to itself alone", () => {
  const name = fc.string().filter((text) => !/[*?]/.test(text));
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(globMatches(a, b, "/")).toBe(a === b);
    }),
  );
});

it("never crosses the separator with one star", () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      expect(globMatches("*", name, "/")).toBe(!name.includes("/"));
      expect(globMatches("**", name, "/")).toBe(true);
    }),
  );
});
