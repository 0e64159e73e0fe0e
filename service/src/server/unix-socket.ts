import { execFile } from "node:child_process";
import { chown, lstat, mkdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { ListenError } from "./listen-error.js";

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
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await removeStale(path);
  const server = createServer(onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(new ListenError(`cannot listen on unix:${path}: ${error.message}`));
    });
    server.once("listening", resolve);
    // The file appears inside listen(); there is no moment in which it is open to everybody.
    const before = process.umask(0o117);
    server.listen(path);
    process.umask(before);
  });
  await chown(path, -1, group.gid);
  return server;
}

/** @throws ListenError when something is there that is no socket, or a socket that is answered */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(`cannot listen on unix:${path}: there is a file that is no socket`);
  if (await isAnswered(path)) throw new ListenError(`cannot listen on unix:${path}: another service answers there`);
  await unlink(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => {
      done(true);
    });
    // ECONNREFUSED: nobody listens. Anything else (EACCES, EAGAIN of a full backlog) leaves it to its owner.
    socket.once("error", (error: NodeJS.ErrnoException) => {
      done(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

const run = promisify(execFile);

/** The group asked for, or `latscope` if there is one, else `root`. @throws ListenError for an unknown group */
export async function socketGroup(asked: string | undefined): Promise<SocketGroup> {
  if (asked !== undefined) {
    const gid = await groupId(asked);
    if (gid === undefined) throw new ListenError(`there is no group "${asked}" (--socket-group)`);
    return { name: asked, gid };
  }
  const gid = await groupId("latscope");
  return gid === undefined ? { name: "root", gid: 0 } : { name: "latscope", gid };
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
