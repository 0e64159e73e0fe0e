import { Session, SessionState, type ListSessionsRequest, type ListSessionsResponse } from "@latscope/proto";
import { maySee } from "../auth/policy/session.js";
import type { Caller } from "../rpc/caller.js";
import { checkEnum } from "../rpc/enum.js";
import type { SessionContext } from "./context.js";
import { labelsMatch } from "./labels.js";
import { paginate } from "./page.js";
import { shown } from "./shown.js";

/** The sessions that the caller may know of, by name, page by page. */
export function listSessions({ sessions, policies, collector }: SessionContext) {
  return async (request: ListSessionsRequest, caller: Caller): Promise<ListSessionsResponse> => {
    const { pageSize, pageToken, states, labels } = request;
    const { owner } = caller;
    const authority = policies.authorityOf(caller);
    for (const [index, state] of states.entries()) checkEnum(SessionState, state, `states[${index}]`);
    const wanted = sessions
      .all()
      .filter((record) => maySee(authority, owner, record))
      .filter((record) => states.length === 0 || states.includes(record.state))
      .filter((record) => labelsMatch(labels, record.labels));
    const all = await Promise.all(
      wanted.map(async (record) => shown(await record.withStats(), record, { authority, owner }, collector)),
    );
    const filter = { states, labels, of: owner };
    const size = (session: Session): number => Session.encode(session).finish().length;
    const { items, nextPageToken } = paginate(all, { pageSize, pageToken, filter }, ({ name }) => name, size);
    return { sessions: items, nextPageToken };
  };
}
