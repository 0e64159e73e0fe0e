import { Session, SessionState, type ListSessionsRequest, type ListSessionsResponse } from "@latscope/proto";
import { checkEnum } from "../rpc/enum.js";
import type { SessionContext } from "./context.js";
import { labelsMatch } from "./labels.js";
import { paginate } from "./page.js";

/** Sessions by name, page by page. */
export function listSessions({ sessions }: SessionContext) {
  return async ({ pageSize, pageToken, states, labels }: ListSessionsRequest): Promise<ListSessionsResponse> => {
    for (const [index, state] of states.entries()) checkEnum(SessionState, state, `states[${index}]`);
    const wanted = sessions
      .all()
      .filter((record) => states.length === 0 || states.includes(record.state))
      .filter((record) => labelsMatch(labels, record.labels));
    const all = await Promise.all(wanted.map((record) => record.withStats()));
    const filter = { states, labels };
    const size = (session: Session): number => Session.encode(session).finish().length;
    const { items, nextPageToken } = paginate(all, { pageSize, pageToken, filter }, ({ name }) => name, size);
    return { sessions: items, nextPageToken };
  };
}
