import { readdir, readFile } from "node:fs/promises";

import {
  DeleteSessionRequest,
  StopSessionRequest,
  type DeleteSessionResponse,
  type StopSessionResponse,
} from "@latscope/proto";

import { bpfObjectsOf } from "../harness/bpf.js";
import { unary, type SpecJson } from "../harness/client.js";
import type { Service } from "../harness/service.js";

/** What a service holds. */
export interface Held {
  readonly programs: number;
  readonly maps: number;
  readonly links: number;
  readonly descriptors: number;
}

/** Makes, stops and deletes a session, one after the other. @returns how long each CreateSession took, in milliseconds */
export async function cycles({ client }: Service, spec: SpecJson, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const begun = performance.now();
    const { name } = await client.create(spec);
    took.push(performance.now() - begun);
    await unary<StopSessionResponse>((answer) =>
      client.sessions.stopSession(StopSessionRequest.fromPartial({ name }), answer),
    );
    await unary<DeleteSessionResponse>((answer) =>
      client.sessions.deleteSession(DeleteSessionRequest.fromPartial({ name }), answer),
    );
  }
  return took;
}

/** Kernel objects and file descriptors of the service now. */
export async function held({ process }: Service): Promise<Held> {
  const { programs, maps, links } = await bpfObjectsOf(process.pid);
  const descriptors = await readdir(`/proc/${String(process.pid)}/fd`);
  return { programs: programs.length, maps: maps.length, links: links.length, descriptors: descriptors.length };
}

/** Memory of the service in RAM, KiB. */
export async function residentKib({ process }: Service): Promise<number> {
  const status = await readFile(`/proc/${String(process.pid)}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]);
}
