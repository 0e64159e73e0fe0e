import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

import type { Answer, Command } from "./endpoint.js";

/*
 * One end of TCP traffic, run inside a namespace. Commands are JSON lines on standard input, each answered by one JSON line.
 * It ends when its standard input does.
 */

const connections = new Map<number, Socket>();
let lastConnection = 0;

function say(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function listen(id: number, host: string, port: number): void {
  const server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.once("error", (error: NodeJS.ErrnoException) => {
    say({ id, error: error.code ?? error.message });
  });
  server.listen({ host, port }, () => {
    const address = server.address();
    say({ id, ok: typeof address === "object" && address !== null ? address.port : 0 });
  });
}

function open(id: number, command: Extract<Command, { do: "connect" }>): void {
  const { host, port, localPort } = command;
  const socket = connect({ host, port, noDelay: true, ...(localPort === undefined ? {} : { localPort }) });
  const failed = (error: NodeJS.ErrnoException): void => {
    say({ id, error: error.code ?? error.message });
  };
  socket.once("error", failed);
  socket.once("connect", () => {
    socket.off("error", failed);
    socket.on("error", () => undefined);
    connections.set(++lastConnection, socket);
    say({ id, ok: lastConnection, localPort: socket.localPort ?? 0 });
  });
}

function send(id: number, socket: Socket, bytes: number): void {
  let left = bytes;
  const finish = (answer: Answer): void => {
    socket.off("data", take);
    socket.off("close", closed);
    say(answer);
  };
  const take = (data: Buffer): void => {
    left -= data.length;
    if (left <= 0) finish({ id, ok: bytes - left });
  };
  const closed = (): void => {
    finish({ id, error: "ECONNRESET" });
  };
  socket.on("data", take);
  socket.once("close", closed);
  socket.write(Buffer.alloc(bytes, 0x6c));
}

function close(id: number, connection: number, socket: Socket): void {
  connections.delete(connection);
  socket.once("close", () => {
    say({ id, ok: connection });
  });
  socket.end();
  socket.resume();
}

function carryOut(command: Command): void {
  switch (command.do) {
    case "listen":
      listen(command.id, command.host, command.port);
      return;
    case "connect":
      open(command.id, command);
      return;
    case "send":
    case "close": {
      const socket = connections.get(command.connection);
      if (socket === undefined) say({ id: command.id, error: "ENOTCONN" });
      else if (command.do === "send") send(command.id, socket, command.bytes);
      else close(command.id, command.connection, socket);
    }
  }
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    carryOut(JSON.parse(line) as Command);
  })
  .once("close", () => {
    process.exit(0);
  });
say({ id: 0, ok: 0 });
