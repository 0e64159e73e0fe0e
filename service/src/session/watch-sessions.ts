import type { WatchSessionsRequest, WatchSessionsResponse } from "@latscope/proto";
import type { Outgoing } from "../rpc/outgoing.js";
import { watch } from "../rpc/watch.js";
import type { SessionContext } from "./context.js";
import type { SessionChanged } from "./feed.js";
import { labelsMatch } from "./labels.js";

type Event = NonNullable<WatchSessionsResponse["event"]>;

/** All sessions (or what changed since the token), a bookmark, then changes as they happen, without statistics. */
export function watchSessions({ sessions: { feed }, draining }: SessionContext) {
  return async (request: WatchSessionsRequest, outgoing: Outgoing<WatchSessionsResponse>): Promise<void> => {
    const { labels, resumeToken } = request;
    const resumed = resumeToken !== "";
    let version = resumed ? feed.versionOf(resumeToken) : 0;
    const sent = new Set<string>();
    const eventFor = ({ name, record }: SessionChanged): Event | undefined => {
      if (record !== undefined && labelsMatch(labels, record.labels)) {
        sent.add(name);
        return { $case: "session", value: record.toMessage() };
      }
      // Who resumes may have been told of it by the stream before.
      return sent.delete(name) || resumed ? { $case: "deleted", value: name } : undefined;
    };

    await watch(outgoing.signal, draining, {
      changes: async () => {
        for (const change of feed.since(version)) {
          const event = eventFor(change);
          if (event !== undefined && !(await outgoing.write({ event }))) return false;
          version = change.version;
        }
        return true;
      },
      bookmark: () => {
        return outgoing.write({ event: { $case: "bookmark", value: { resumeToken: feed.tokenAt(version) } } });
      },
      subscribe: (listener) => feed.subscribe(listener),
    });
  };
}
