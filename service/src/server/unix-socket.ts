import { execFile } from "node:child_process";
import { once } from "node:events";
import { chown, lstat, mkdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { reasonOf } from "../failure/reason-of.js";
import { ListenError } from "./listen-error.js";

/** `sun_path` of unix(7), without its NUL; a longer one would silently be cut. */
const LONGEST_PATH = 107;

/** Who owns the socket. */
export interface SocketGroup {
  name: string;
  gid: number;
}

/**
 * Listens on a unix socket that only root and one group can open. A file left behind by a service that is gone is replaced; one
 * that somebody answers on is not. The file goes away when the server closes.
 *
 * @throws ListenError
 */
export async function listenUnix(
  path: string,
  group: SocketGroup,
  onConnection: (socket: Socket) => void,
): Promise<NetServer> {
  const length = Buffer.byteLength(path);
  if (length > LONGEST_PATH)
    throw new ListenError(
      `the socket's path has ${String(length)} bytes, the kernel takes at most ${String(LONGEST_PATH)}: ${path}`,
    );
  try {
    await makeFolder(dirname(path));
    await removeStale(path);
    const server = createServer(onConnection);
    await bind(server, path);
    await chown(path, -1, group.gid).catch((error: unknown) => {
      server.close();
      throw error;
    });
    return server;
  } catch (cause) {
    throw new ListenError(`cannot listen on unix:${path}: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** The socket's own folder only: whoever names a place that is not there has probably mistyped it. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function bind(server: NetServer, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", resolve);
    // The file appears inside listen(); there is no moment in which it is open to everybody.
    const before = process.umask(0o117);
    server.listen(path);
    process.umask(before);
  });
}

/** @throws when something is there that is no socket, or a socket that is answered or that nobody can ask */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error("there is a file that is no socket");
  if (await isAnswered(path)) throw new Error("another service answers there");
  await unlink(path);
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch (error) {
    // What is left of a service that is gone refuses; anything else is for the person who started us to see.
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED" || code === "ENOENT") return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

const run = promisify(execFile);

/** The group asked for, or `latscope` if there is one and this user may give it files, else its own, which is `root` for root. @throws ListenError for an unknown group */
export async function socketGroup(asked: string | undefined): Promise<SocketGroup> {
  if (asked !== undefined) {
    const gid = await groupId(asked);
    if (gid === undefined) throw new ListenError(`there is no group "${asked}" (--socket-group)`);
    return { name: asked, gid };
  }
  const gid = await groupId("latscope");
  const own = process.getegid?.() ?? 0;
  const member = process.geteuid?.() === 0 || [own, ...(process.getgroups?.() ?? [])].some((each) => each === gid);
  if (gid !== undefined && member) return { name: "latscope", gid };
  return { name: own === 0 ? "root" : String(own), gid: own };
}

/** Through getent, which knows every source of groups that the host has. */
async function groupId(name: string): Promise<number | undefined> {
  try {
    const { stdout } = await run("getent", ["group", "--", name]);
    const gid = Number(stdout.split(":")[2]);
    return Number.isInteger(gid) ? gid : undefined;
  } catch {
    return undefined;
  }
}
