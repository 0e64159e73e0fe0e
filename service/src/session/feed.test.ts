import { SessionSpec } from "@latscope/proto";
import { expect, it, vi } from "vitest";
import { SessionFeed } from "./feed.js";
import { SessionRecord } from "./record.js";

const spec = SessionSpec.fromPartial({});
const scope = { principal: "me", targets: undefined, redaction: undefined };
const facts = { owner: "me", measures: spec };
const record = (id: string): SessionRecord =>
  new SessionRecord(id, { owner: "me", displayName: "", labels: {}, spec, grant: { spec, scope } });

it("keeps the latest change of each name, in order", () => {
  const feed = new SessionFeed();
  const [a, b] = [record("a"), record("b")];
  feed.changed(a);
  feed.changed(b);
  feed.changed(a);
  feed.deleted(b);
  expect(feed.since(0)).toEqual([
    { name: "sessions/a", version: 3, record: a, facts },
    { name: "sessions/b", version: 4, record: undefined, facts },
  ]);
  expect(feed.since(3).map(({ name }) => name)).toEqual(["sessions/b"]);
});

it("tells its listeners until they leave", () => {
  const feed = new SessionFeed();
  const listener = vi.fn();
  const leave = feed.subscribe(listener);
  feed.changed(record("a"));
  leave();
  feed.changed(record("b"));
  expect(listener).toHaveBeenCalledOnce();
});

it("resumes from its own tokens only, and not from before what it forgot", () => {
  const feed = new SessionFeed();
  expect(feed.versionOf(feed.tokenAt(7, "me"), "me")).toBe(7);
  expect(() => feed.versionOf("nonsense", "me")).toThrow("resume_token");
  const expired = expect.objectContaining({ reason: "RESUME_TOKEN_EXPIRED" }) as Error;
  expect(() => feed.versionOf(new SessionFeed().tokenAt(0, "me"), "me")).toThrow(expired);
  expect(() => feed.versionOf(feed.tokenAt(7, "another"), "me")).toThrow(expired);
  for (let index = 0; index <= 10_000; index += 1) feed.deleted(record(`s${index}`));
  expect(() => feed.versionOf(feed.tokenAt(0, "me"), "me")).toThrow(expired);
  expect(feed.since(0)).toHaveLength(10_000);
});
