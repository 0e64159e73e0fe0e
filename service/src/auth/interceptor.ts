import {
  ServerInterceptingCall,
  status as codes,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import type { Audit } from "../audit/audit.js";
import { answerTo } from "../failure/answer.js";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../log/logger.js";
import type { Principal } from "./principal.js";
import { bindCaller, type Caller, type CallRecord } from "../rpc/caller.js";
import type { Connection } from "../server/connections.js";

/** What letting calls in takes. */
export interface Door {
  /** The connection that a call came on, by what grpc-js knows of it. */
  connectionOf: (call: ServerInterceptingCallInterface) => Connection | undefined;
  /** Whether somebody may make the call at all. @throws Failure when not */
  admit: (caller: Caller) => void;
  log: Logger;
  audit: Audit;
}

/**
 * Finds out who makes a call before anything of it but its headers is taken: whoever cannot be told gets UNAUTHENTICATED, whatever
 * method it asked for.
 */
export function authenticating({ connectionOf, admit, log, audit }: Door): ServerInterceptor {
  return ({ path: method, requestStream, responseStream }, call) => {
    const connection = connectionOf(call);
    const record: CallRecord = { method, peer: connection?.peer ?? "", startedAt: Date.now() };
    const end = (status: number): void => {
      if (record.status !== undefined) return;
      Object.assign(record, { status, durationMs: Date.now() - record.startedAt });
      log.debug(record, "call ended");
      audit.ended(record);
    };
    let opens = responseStream && !requestStream;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, letIn) => {
            try {
              const principal = authenticate(connection);
              record.principal = principal.name;
              const caller = { principal, owner: principal.name, peer: record.peer, method, record };
              admit(caller);
              bindCaller(metadata, caller);
            } catch (error) {
              const status = answerTo(error, record, log);
              end(status.code);
              call.sendStatus(status);
              return;
            }
            letIn(metadata);
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
      sendStatus: (status, next) => {
        end(status.code);
        next(status);
      },
    });
  };
}

/** @throws Failure for whoever cannot be told */
function authenticate(connection: Connection | undefined): Principal {
  if (connection === undefined) throw Failure.of("CREDENTIALS_MISSING", "the connection is gone");
  return connection.principal;
}
