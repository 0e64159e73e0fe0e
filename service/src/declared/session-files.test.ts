import { SessionSpec, SessionState, StopReason } from "@latscope/proto";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Policies } from "../auth/policy/policies.js";
import { createLogger } from "../log/logger.js";
import type { SessionRecord } from "../session/record.js";
import { Sessions } from "../session/sessions.js";
import { addonError, CollectorDouble } from "../testing/collector-double.js";
import { SessionFiles } from "./session-files.js";

const log = await createLogger("silent");

let root: string;
let path: string;
let collector: CollectorDouble;
let sessions: Sessions;
let files: SessionFiles | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "latscope-"));
  path = join(root, "sessions");
  await mkdir(path);
  collector = new CollectorDouble();
  const history = { each: 1n, most: 1n, total: 100n };
  sessions = new Sessions({ collector, log, limit: 5, history, admit: () => undefined });
  files = undefined;
  return async () => {
    await files?.close();
    sessions.close();
    vi.restoreAllMocks();
    await rm(root, { recursive: true });
  };
});

const open = async (): Promise<SessionFiles> => {
  const labels = { zone: "a" };
  const policies = new Policies();
  files = await SessionFiles.open({ path, collector, sessions, policies, log, node: "nodes/here", nodeLabels: labels });
  return files;
};
const write = (name: string, text: string) => writeFile(join(path, name), text);
const get = (name: string): SessionRecord => sessions.get(`sessions/${name}`, "name");
const names = (): string[] => sessions.all().map(({ name }) => name);
const failing = (): string[] => (files?.status() ?? []).map(({ failing }) => failing);

const good = (comm: string, more = "") => `
labels: { comm: ${comm} }
spec:
  probes: [{ runQueue: {} }]
  filters: [{ comms: [${comm}] }]
${more}`;
const other = "spec: { probes: [{ tcp: {} }] }";

describe("sessions as files", () => {
  it("start with the service, owned by their files, and wait for a reader for ever", async () => {
    await write("edge.yaml", good("db"));
    await write("short.json", '{"spec":{"probes":[{"runQueue":{}}],"limits":{"idleTimeout":"9s"}}}');
    await write(".hidden.yaml", other);
    await write("notes.txt", "no session");
    await open();
    expect(names()).toEqual(["sessions/edge", "sessions/short"]);
    expect(get("edge")).toMatchObject({ owner: "file:edge.yaml", labels: { comm: "db" }, state: SessionState.RUNNING });
    expect(get("edge").limitMs("idleTimeout")).toBeUndefined();
    expect(get("short").limitMs("idleTimeout")).toBe(9000);
    expect(files?.status()).toEqual([
      { file: "edge.yaml", session: "sessions/edge", failing: "" },
      { file: "short.json", session: "sessions/short", failing: "" },
    ]);
  });

  it("cannot be without their folder at the start, and keep what they had when it goes later", async () => {
    await rm(path, { recursive: true });
    await expect(open()).rejects.toThrow(`${path}: ENOENT`);
    await mkdir(path);
    await write("edge.yaml", other);
    const opened = await open();
    await rename(path, `${path}.away`);
    await opened.reload();
    expect(names()).toEqual(["sessions/edge"]);
    await rename(`${path}.away`, path);
    await rm(join(path, "edge.yaml"));
    await opened.reload();
    expect(names()).toEqual([]);
  });

  it("turn live knobs without another session", async () => {
    await write("edge.yaml", good("db"));
    const opened = await open();
    const record = get("edge");
    const update = vi.spyOn(collector.sessions.get("edge") ?? expect.fail(), "update");
    await write("edge.yaml", good("web", "  limits: { duration: 1h, idle_timeout: 5s }"));
    await opened.reload();
    // A duration as people write it is none of protobuf's.
    expect(failing()[0]).toMatch(/^edge\.yaml:6: /);
    await write("edge.yaml", good("web", "  limits: { duration: 3600s }"));
    await opened.reload();
    expect(get("edge")).toBe(record);
    expect(failing()).toEqual([""]);
    expect(record).toMatchObject({ labels: { comm: "web" }, spec: { filters: [{ comms: ["web"] }] } });
    expect([record.limitMs("duration"), record.limitMs("idleTimeout")]).toEqual([3_600_000, undefined]);
    expect(update).toHaveBeenCalledTimes(1);
    await write("edge.yaml", `display_name: Web\n${good("web", "  limits: { duration: 3600s }")}`);
    await opened.reload();
    expect(record.displayName).toBe("Web");
    expect(update).toHaveBeenCalledTimes(1);
  });

  it("take a new session for what is fixed, and keep the old one when that is refused", async () => {
    await write("edge.yaml", good("db"));
    const opened = await open();
    const before = get("edge");
    vi.spyOn(collector, "verify").mockRejectedValueOnce(
      addonError("INVALID_ARGUMENT", "INTERFACE_UNKNOWN", "spec.interfaces[1]", "is not there"),
    );
    await write("edge.yaml", "spec:\n  probes: [{ tcp: {} }]\n  interfaces:\n    - lo\n    - none\n");
    await opened.reload();
    expect(failing()).toEqual(["edge.yaml:5: spec.interfaces[1]: is not there"]);
    expect(get("edge")).toBe(before);
    expect(before.running).toBe(true);
    // It is tried again without another change.
    await opened.reload();
    expect(failing()).toEqual([""]);
    expect(get("edge")).not.toBe(before);
    expect(before.state).toBe(SessionState.STOPPED);
    expect(get("edge").spec.interfaces).toEqual(["lo", "none"]);
  });

  it("go back to the old one when the new one does not start after all", async () => {
    await write("edge.yaml", good("db"));
    const opened = await open();
    vi.spyOn(collector, "start").mockRejectedValueOnce(
      addonError("FAILED_PRECONDITION", "HOOK_UNAVAILABLE", "spec.probes[0]", "has no hook"),
    );
    await write("edge.yaml", other);
    await opened.reload();
    expect(failing()).toEqual(["edge.yaml:1: spec.probes[0]: has no hook"]);
    expect(get("edge")).toMatchObject({ state: SessionState.RUNNING, labels: { comm: "db" } });
  });

  it("leave the others alone when one is broken, and go when their file goes", async () => {
    await write("a.yaml", good("a"));
    await write("b.yaml", good("b"));
    const opened = await open();
    const [a, b] = [get("a"), get("b")];
    await write("a.yaml", "spec: [");
    await opened.reload();
    expect([get("a"), get("b")]).toEqual([a, b]);
    expect(a.running).toBe(true);
    expect(failing()).toEqual([expect.stringMatching(/^a\.yaml:1: /), ""]);
    await rm(join(path, "a.yaml"));
    await opened.reload();
    expect(names()).toEqual(["sessions/b"]);
    expect(a.state).toBe(SessionState.STOPPED);
    expect(files?.status()).toHaveLength(1);
  });

  it("do not take the name of another's session, until it is free", async () => {
    const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "runQueue", value: {} } }] });
    const grant = { spec, scope: { principal: "uid:1", targets: undefined, redaction: undefined } };
    const theirs = await sessions.create({ id: "edge", owner: "uid:1", displayName: "", labels: {}, spec, grant });
    await write("edge.yaml", good("a"));
    await write("edge.yml", good("b"));
    const opened = await open();
    expect(failing()).toEqual(["edge.yaml:1: sessions/edge exists", "edge.yml:1: sessions/edge exists"]);
    expect(get("edge")).toBe(theirs);
    await sessions.remove(theirs, StopReason.REQUESTED);
    await opened.reload();
    expect(get("edge").owner).toBe("file:edge.yaml");
    expect(failing()).toEqual(["", "edge.yml:1: sessions/edge exists"]);
    await rm(join(path, "edge.yaml"));
    await opened.reload();
    expect(get("edge").owner).toBe("file:edge.yml");
  });

  it("are for the hosts that they select", async () => {
    await write("here.yaml", `${other.slice(0, -2)}, node_selector: { labels: { zone: a } } }`);
    await write("there.yaml", `${other.slice(0, -2)}, node_selector: { nodes: [nodes/there] } }`);
    const opened = await open();
    expect(names()).toEqual(["sessions/here"]);
    expect(failing()).toEqual(["", ""]);
    await write("here.yaml", `${other.slice(0, -2)}, node_selector: { labels: { zone: b } } }`);
    await opened.reload();
    expect(names()).toEqual([]);
  });

  it("that have ended stay so until their file changes, and those that failed are tried again", async () => {
    await write("edge.yaml", good("a"));
    const opened = await open();
    const ended = get("edge");
    await sessions.stop(ended, StopReason.DURATION);
    await opened.reload();
    expect(get("edge")).toBe(ended);
    await write("edge.yaml", good("b"));
    await opened.reload();
    expect(get("edge")).toMatchObject({ running: true, labels: { comm: "b" } });
    const failed = get("edge");
    Object.assign(failed, { state: SessionState.FAILED, stateReason: "the kernel took it" });
    expect(failing()).toEqual(["the kernel took it"]);
    await opened.reload();
    expect(get("edge")).not.toBe(failed);
    expect(failing()).toEqual([""]);
  });

  it("notice changes by themselves, also behind links", async () => {
    const elsewhere = join(root, "elsewhere");
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, "linked.yaml"), good("a"));
    await symlink(join(elsewhere, "linked.yaml"), join(path, "linked.yaml"));
    await open();
    const until = (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        const stop = sessions.feed.subscribe(() => {
          if (!holds()) return;
          stop();
          resolve();
        });
      });
    const there = until(() => names().includes("sessions/new"));
    await write("new.yaml", other);
    await there;
    const changed = until(() => get("linked").labels["comm"] === "b");
    await writeFile(join(elsewhere, "linked.yaml"), good("b"));
    await changed;
    const gone = until(() => !names().includes("sessions/new"));
    await rm(join(path, "new.yaml"));
    await gone;
    expect(names()).toEqual(["sessions/linked"]);
    const next = join(root, "next");
    await mkdir(next);
    await writeFile(join(next, "swapped.yaml"), good("a"));
    const swapped = until(() => names().join() === "sessions/swapped");
    await rename(path, `${path}.away`);
    await rename(next, path);
    await swapped;
    const inside = until(() => get("swapped").labels["comm"] === "b");
    await write("swapped.yaml", good("b"));
    await inside;
  });
});
