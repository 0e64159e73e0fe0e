import {
  ServerInterceptingCall,
  status as codes,
  type Metadata,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import type { Audit } from "../audit/audit.js";
import { answerTo } from "../failure/answer.js";
import { Failure } from "../failure/failure.js";
import { withReason } from "../failure/of-grpc.js";
import type { Logger } from "../log/logger.js";
import { bindCaller, type Caller, type CallRecord } from "../rpc/caller.js";
import type { Connection } from "../server/connections.js";
import { takeToken } from "./bearer.js";
import type { Credential } from "./credential.js";
import type { OpenCalls } from "./open-calls.js";

/** How long a stream whose caller may no longer read has to say why it ends. */
const lastWordMs = 1000;

/** What letting calls in takes. */
export interface Door {
  /** The connection that a call came on, by what grpc-js knows of it. */
  connectionOf: (call: ServerInterceptingCallInterface) => Connection | undefined;
  /** Whether somebody may make the call at all. @throws Failure when not */
  admit: (caller: Caller) => void;
  calls: OpenCalls;
  log: Logger;
  audit: Audit;
}

/**
 * Finds out who makes a call before anything of it but its headers is taken: whoever cannot be told gets UNAUTHENTICATED, whatever
 * method it asked for.
 */
export function authenticating({ connectionOf, admit, calls, log, audit }: Door): ServerInterceptor {
  return ({ path: method, requestStream, responseStream }, call) => {
    const connection = connectionOf(call);
    const record: CallRecord = { method, peer: connection?.peer ?? "", startedAt: Date.now() };
    let leave = (): void => undefined;
    const end = (status: number): void => {
      if (record.status !== undefined) return;
      Object.assign(record, { status, durationMs: Date.now() - record.startedAt });
      leave();
      log.debug(record, "call ended");
      audit.ended(record);
    };
    const send = call.sendStatus.bind(call);
    // grpc-js ends calls by itself, too, past all that is between it and a handler.
    call.sendStatus = (status) => {
      const told = withReason(status);
      end(told.code);
      send(told);
    };
    let opens = responseStream && !requestStream;
    const refuse = (error: unknown): void => {
      const status = answerTo(error, record, log);
      end(status.code);
      call.sendStatus(status);
    };
    const letIn = (metadata: Metadata, credential: Credential): void => {
      const caller = callerFor(credential, record);
      record.principal = caller.owner;
      admit(caller);
      leave = calls.enter(caller);
      if (responseStream) {
        caller.revoked.addEventListener("abort", () => {
          setTimeout(() => {
            if (record.status === undefined) refuse(caller.revoked.reason);
          }, lastWordMs).unref();
        });
      }
      bindCaller(metadata, caller);
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, goOn) => {
            authenticate(connection, metadata)
              .then((credential) => {
                // Its client may have left meanwhile.
                if (record.status !== undefined) return;
                letIn(metadata, credential);
                goOn(metadata);
              })
              .catch(refuse);
          },
          onCancel: () => {
            // By its client, which may have had a deadline, or by the loss of the connection.
            end(codes.CANCELLED);
          },
        });
      },
      sendMessage: (message, next) => {
        if (opens) audit.opened(record);
        opens = false;
        next(message);
      },
    });
  };
}

/** Rejects with a Failure for whoever cannot be told. */
async function authenticate(connection: Connection | undefined, metadata: Metadata): Promise<Credential> {
  if (connection === undefined) throw Failure.of("CREDENTIALS_MISSING", "the connection is gone");
  const credential = await connection.authenticate(takeToken(metadata));
  connection.authenticated();
  return credential;
}

function callerFor(credential: Credential, record: CallRecord): Caller {
  const { principal } = credential;
  const revoked = new AbortController();
  return {
    principal,
    owner: principal.name,
    peer: record.peer,
    method: record.method,
    record,
    credential,
    revoked: revoked.signal,
    revoke: (why) => {
      revoked.abort(why);
    },
  };
}
