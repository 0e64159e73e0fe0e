import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Logger } from "../../log/logger.js";
import { unixPrincipal } from "../principal.js";
import { openPolicies } from "./open.js";

let folder: string;
const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const asking = {
  principal: unixPrincipal({ uid: 7, gids: [7] }),
  method: "",
  record: { method: "", peer: "", startedAt: 0 },
};
const rule = (role: string): string => `rules: [{ name: a, principals: [{ uid: 7 }], role: ${role}, targets: all }]`;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-"));
  vi.clearAllMocks();
});
afterEach(() => rm(folder, { recursive: true }));

it("keeps up with the file, and keeps the last good one", async () => {
  const path = join(folder, "policy.yaml");
  await writeFile(path, rule("viewer"));
  const { policies, reload, close } = await openPolicies(path, log as unknown as Logger);
  const changed = vi.fn();
  policies.subscribe(changed);
  try {
    expect(policies.authorityOf(asking).role).toBe("viewer");
    await writeFile(`${path}.new`, rule("admin"));
    await rename(`${path}.new`, path);
    await vi.waitFor(
      () => {
        expect(changed).toHaveBeenCalledOnce();
      },
      { timeout: 10_000 },
    );
    expect(policies.authorityOf(asking).role).toBe("admin");
    await writeFile(path, rule("owner"));
    await reload();
    expect(log.error.mock.calls[0]?.[1]).toContain(`${path}:1: rules[0].role: `);
    expect(policies.authorityOf(asking).role).toBe("admin");
  } finally {
    close();
  }
});

it("takes none that is wrong or not there at the start", async () => {
  const path = join(folder, "policy.yaml");
  await expect(openPolicies(path, log as unknown as Logger)).rejects.toThrow("ENOENT");
  await writeFile(path, "rules: 7");
  await expect(openPolicies(path, log as unknown as Logger)).rejects.toThrow(`${path}:1: rules: `);
});
