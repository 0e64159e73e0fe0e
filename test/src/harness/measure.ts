import {
  EndReason,
  StopSessionRequest,
  type RefusalReason,
  type Sample,
  type Session,
  type StopSessionResponse,
  type Totals,
} from "@latscope/proto";

import { unary, type Client, type SpecJson } from "./client.js";

/** All that a session measured. */
export interface Measured {
  readonly samples: readonly Sample[];
  /** The books of the session, after it stopped. */
  readonly totals: Totals;
}

/** Runs the traffic under a session of its own, stops the session, and reads its whole history: nothing is still to come. */
export async function measure(client: Client, spec: SpecJson, traffic: () => Promise<unknown>): Promise<Measured> {
  const session = await client.create(spec);
  await traffic();
  await stop(client, session.name);
  return history(client, session.name);
}

export async function stop(client: Client, name: string): Promise<Session> {
  const request = StopSessionRequest.fromPartial({ name });
  const { session } = await unary<StopSessionResponse>((answer) => client.sessions.stopSession(request, answer));
  if (session === undefined) throw new Error("StopSession answered no session");
  return session;
}

/** Reads a session from its oldest sample to the end of its history. */
export async function history(client: Client, session: string): Promise<Measured> {
  const stream = client.stream({ session, noFollow: true });
  const end = await stream.ended();
  if (end.reason !== EndReason.END_OF_HISTORY && end.reason !== EndReason.SESSION_STOPPED) {
    throw new Error(`the history ended with ${EndReason[end.reason]}`);
  }
  if (end.sessionTotals === undefined) throw new Error("End without the books of the session");
  return { samples: stream.samples, totals: end.sessionTotals };
}

/** How often a latency was refused for this reason. */
export function refusals(totals: Totals, reason: RefusalReason): bigint {
  return totals.refusals.find((refusal) => refusal.reason === reason)?.count ?? 0n;
}

/** Latency in milliseconds. */
export function milliseconds({ latency }: Sample): number {
  if (latency === undefined) throw new Error("a sample without latency");
  return Number(latency.seconds) * 1e3 + latency.nanos / 1e6;
}
