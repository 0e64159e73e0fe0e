import {
  EndReason,
  NodeState,
  nodeStateToJSON,
  SessionState,
  sessionStateToJSON,
  type NodeStatus,
  type SessionChange,
} from "@latscope/proto";
import { enumNames } from "../format/enum.js";
import { printable } from "../format/text.js";

const sessionState = enumNames(SessionState, sessionStateToJSON, "SESSION_STATE_");
const nodeState = enumNames(NodeState, nodeStateToJSON, "NODE_STATE_");

/** `the session is degraded: no such interface` */
export function sessionLine({ state, reason }: SessionChange): string {
  return withReason(`the session is ${word(sessionState(state), "SESSION_STATE_")}`, reason);
}

/** `nodes/a is gone: connection lost` */
export function nodeLine({ node, state, reason }: NodeStatus): string {
  return withReason(`${printable(node)} is ${word(nodeState(state), "NODE_STATE_")}`, reason);
}

const ends: Readonly<Record<number, string>> = {
  [EndReason.SESSION_STOPPED]: "the session was stopped",
  [EndReason.DRAINING]: "the service is shutting down",
  [EndReason.SESSION_FAILED]: "the session failed",
  [EndReason.SESSION_DELETED]: "the session was deleted",
  [EndReason.ACCESS_REVOKED]: "access was revoked",
  [EndReason.NODE_LOST]: "the node was lost",
};

/** Why a stream ended, when that is news to the person who asked for it. */
export function endLine(reason: EndReason): string | undefined {
  return ends[reason];
}

/** Whether a stream that ended for this reason did what it was asked to. */
export function isFailure(reason: EndReason): boolean {
  return [EndReason.SESSION_FAILED, EndReason.ACCESS_REVOKED, EndReason.NODE_LOST].includes(reason);
}

function word(name: string, prefix: string): string {
  return name.slice(prefix.length).toLowerCase();
}

function withReason(text: string, reason: string): string {
  return reason === "" ? text : `${text}: ${printable(reason)}`;
}
