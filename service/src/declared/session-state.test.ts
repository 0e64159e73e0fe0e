import { SessionSpec, SessionState as State, StopReason } from "@latscope/proto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { defaultPolicy, type Policy } from "../auth/policy/authority.js";
import { Policies } from "../auth/policy/policies.js";
import { unixPrincipal, type Principal } from "../auth/principal.js";
import { createLogger } from "../log/logger.js";
import { Quotas } from "../quota/quotas.js";
import { Sessions } from "../session/sessions.js";
import { addonError, CollectorDouble } from "../testing/collector-double.js";
import { restoring } from "./restore.js";
import { SessionState } from "./session-state.js";

const log = await createLogger("silent");
const hour = 3_600_000;
const minute = 60_000;

let path: string;
let file: string;
let policy: Policy;
const open: { state: SessionState; sessions: Sessions }[] = [];

beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), "latscope-")), "state");
  file = join(path, "sessions.json");
  policy = defaultPolicy;
  return async () => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    for (const { state, sessions } of open.splice(0)) {
      await state.close();
      sessions.close();
    }
    await rm(join(path, ".."), { recursive: true });
  };
});

/** A service's life: what it has from the one before, over a collector of its own. */
async function begin(prepare: (collector: CollectorDouble) => void = () => undefined) {
  const collector = new CollectorDouble();
  prepare(collector);
  const history = { each: 1n, most: 1n, total: 100n };
  const sessions = new Sessions({ collector, log, limit: 9, history, admit: () => undefined });
  const policies = new Policies({ current: policy, subscribe: () => undefined });
  const none = { sessions: undefined, streams: undefined, kernelMemory: undefined };
  const quotas = new Quotas({ ...none, bytesPerSecond: undefined, samplesPerSecond: undefined }, policies);
  const restore = restoring({ sessions, policies, quotas, log, retainMs: minute });
  const state = await SessionState.open({ path, sessions, log, restore });
  const life = { collector, sessions, state };
  open.push(life);
  return life;
}

type Life = Awaited<ReturnType<typeof begin>>;

function create(
  { sessions }: Life,
  id: string,
  more: { principal?: Principal; limits?: object; stream?: boolean } = {},
) {
  const { principal = unixPrincipal({ uid: 7, gids: [7] }), limits = {}, stream = false } = more;
  const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "runQueue", value: {} } }], limits });
  const owner = principal.name;
  const grant = { spec, scope: { principal: owner, targets: undefined, redaction: undefined } };
  const labels = { of: id };
  const fields = { id, owner, principal, displayName: id.toUpperCase(), labels, spec, grant };
  return sessions.create(stream ? { ...fields, stream: { lingerMs: 0 } } : fields);
}

const names = ({ sessions }: Life): string[] => sessions.all().map(({ id }) => id);

describe("the memory of sessions", () => {
  it("brings back what ran, as it was, and nothing else", async () => {
    const first = await begin();
    const token: Principal = {
      kind: "token",
      name: "token:a",
      uris: [],
      dnsNames: [],
      subject: "a",
      claims: { n: [1] },
    };
    const record = await create(first, "kept");
    await create(first, "streamed", { stream: true });
    await first.sessions.stop(await create(first, "stopped"), StopReason.REQUESTED);
    await first.sessions.remove(await create(first, "deleted"), StopReason.REQUESTED);
    await create(first, "by-token", { principal: token });
    record.labels = { changed: "since" };
    first.sessions.feed.changed(record);
    await first.state.close();

    const asked: Principal[] = [];
    policy = {
      authorityOf: (principal) => {
        asked.push(principal);
        return defaultPolicy.authorityOf(unixPrincipal({ uid: 7, gids: [7] }));
      },
    };
    const second = await begin();
    expect(names(second)).toEqual(["by-token", "kept"]);
    expect(asked).toEqual(expect.arrayContaining([token, record.principal]));
    const back = second.sessions.get("sessions/kept", "name");
    const { owner, principal, displayName, labels, spec, createdAt } = record;
    expect(back).toMatchObject({ owner, principal, displayName, labels, spec, createdAt, state: State.RUNNING });
    expect(second.collector.sessions.get("kept")?.scope.principal).toBe("uid:7");
  });

  it("is for its owner alone, and whole at every moment", async () => {
    const life = await begin();
    await create(life, "a");
    await life.state.close();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect(await readdir(path)).toEqual(["sessions.json"]);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ version: 1, sessions: [{ name: "sessions/a" }] });
  });

  it("lets a session run no longer than it would have", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const first = await begin();
    await create(first, "long", { limits: { duration: { seconds: 3600n } } });
    await create(first, "short", { limits: { duration: { seconds: 60n } } });
    await first.state.close();
    vi.setSystemTime(Date.now() + 20 * minute);
    const second = await begin();
    expect(names(second)).toEqual(["long"]);
    await second.state.close();
    vi.setSystemTime(Date.now() + 20 * minute);
    vi.useRealTimers();
    const set = vi.spyOn(globalThis, "setTimeout");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 40 * minute });
    const third = await begin();
    expect(names(third)).toEqual(["long"]);
    const waits = set.mock.calls.map(([, wait]) => wait ?? 0);
    expect(waits.filter((wait) => wait > 19 * minute && wait <= 20 * minute)).toHaveLength(1);
    expect(waits.every((wait) => wait < hour)).toBe(true);
  });

  it("keeps one that cannot come back as FAILED, with the reason, and forgets it", async () => {
    const first = await begin();
    await create(first, "gone");
    await create(first, "stays");
    await first.state.close();
    const second = await begin((collector) => {
      vi.spyOn(collector, "start").mockRejectedValueOnce(
        addonError("INVALID_ARGUMENT", "INTERFACE_UNKNOWN", "spec.interfaces[0]", "is not there"),
      );
    });
    const gone = second.sessions.get("sessions/gone", "name");
    expect(gone).toMatchObject({ state: State.FAILED, owner: "uid:7", labels: { of: "gone" } });
    expect(gone.stateReason).toBe("it could not come back: spec.interfaces[0]: is not there");
    expect(await gone.withStats()).toMatchObject({ name: "sessions/gone", stats: undefined });
    await second.state.close();
    policy = { authorityOf: () => undefined };
    const third = await begin();
    expect(names(third)).toEqual(["stays"]);
    expect(third.sessions.get("sessions/stays", "name").stateReason).toBe(
      "it could not come back: no rule of the policy names uid:7",
    );
    await third.sessions.remove(third.sessions.get("sessions/stays", "name"), StopReason.REQUESTED);
    expect(names(third)).toEqual([]);
  });

  it.each([
    ["no JSON", "{"],
    ["half of it", '{"version":1,"sessions":[{"name":"sessions/a","sess'],
    ["another version", '{"version":2,"sessions":[]}'],
    ["something else", '{"version":1,"sessions":[{"name":"sessions/a"}]}'],
    [
      "no message",
      JSON.stringify({
        version: 1,
        sessions: [{ name: "a", principal: unixPrincipal({ uid: 1, gids: [1] }), session: "////" }],
      }),
    ],
  ])("that is %s is put aside, and begins anew", async (_, text) => {
    const error = vi.spyOn(log, "error");
    await mkdir(path);
    await writeFile(file, text);
    const life = await begin();
    expect(names(life)).toEqual([]);
    expect(error).toHaveBeenCalledTimes(1);
    expect(error.mock.calls[0]?.[0]).toContain(`the file is ${file}.broken now`);
    await create(life, "new");
    await life.state.close();
    expect(await readFile(`${file}.broken`, "utf8")).toBe(text);
    expect(names(await begin())).toEqual(["new"]);
  });

  it("that cannot be written is told once, and written when it can be", async () => {
    const error = vi.spyOn(log, "error");
    const info = vi.spyOn(log, "info");
    await writeFile(path, "a file where the folder should be");
    const life = await begin();
    await create(life, "a");
    await create(life, "b");
    await vi.waitUntil(() => life.state.status.failing !== "");
    expect(life.state.status).toMatchObject({ path: file, failing: expect.stringContaining("EEXIST") as string });
    await rm(path);
    await create(life, "c");
    await vi.waitUntil(() => life.state.status.failing === "");
    await life.state.close();
    expect(error.mock.calls.filter(([text]) => String(text).includes("cannot be written"))).toHaveLength(1);
    expect(info.mock.calls.filter(([text]) => String(text).includes("can be written again"))).toHaveLength(1);
    expect(names(await begin())).toEqual(["a", "b", "c"]);
  });
});
