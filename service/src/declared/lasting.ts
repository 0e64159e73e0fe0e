import type { Config } from "../config/schema.js";
import type { RestoreParts } from "./restore.js";
import type { SessionFiles, SessionFilesParts } from "./session-files.js";
import type { SessionState } from "./session-state.js";

/** What keeps sessions beyond their clients, and beyond the process; what is not configured costs no memory. */
export interface Lasting {
  readonly files: SessionFiles | undefined;
  readonly state: SessionState | undefined;
}

/** Brings back what ran, then starts what files declare. @throws ConfigError when the folder of files cannot be read */
export async function openLasting(
  { sessionDir, stateDir, retain }: Pick<Config, "sessionDir" | "stateDir" | "retain">,
  parts: Omit<SessionFilesParts, "path"> & Omit<RestoreParts, "retainMs">,
): Promise<Lasting> {
  let state: SessionState | undefined;
  if (stateDir !== undefined) {
    const { SessionState } = await import("./session-state.js");
    const { restoring } = await import("./restore.js");
    const restore = restoring({ ...parts, retainMs: retain });
    state = await SessionState.open({ ...parts, path: stateDir, restore });
  }
  if (sessionDir === undefined) return { files: undefined, state };
  const { SessionFiles } = await import("./session-files.js");
  try {
    return { files: await SessionFiles.open({ ...parts, path: sessionDir }), state };
  } catch (error) {
    await state?.close();
    throw error;
  }
}
