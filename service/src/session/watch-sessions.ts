import type { WatchSessionsRequest, WatchSessionsResponse } from "@latscope/proto";
import { maySee } from "../auth/policy/session.js";
import type { Caller } from "../rpc/caller.js";
import type { Outgoing } from "../rpc/outgoing.js";
import { watch } from "../rpc/watch.js";
import type { SessionContext } from "./context.js";
import type { SessionChanged } from "./feed.js";
import { labelsMatch } from "./labels.js";
import { shown } from "./shown.js";

type Event = NonNullable<WatchSessionsResponse["event"]>;

/** All sessions that the caller may know of (or what changed since the token), a bookmark, then changes as they happen, without statistics. */
export function watchSessions({ sessions: { feed }, policies, collector, draining }: SessionContext) {
  return async (
    request: WatchSessionsRequest,
    outgoing: Outgoing<WatchSessionsResponse>,
    caller: Caller,
  ): Promise<void> => {
    const { labels, resumeToken } = request;
    const { owner } = caller;
    let authority = policies.authorityOf(caller);
    const seer = (): string => `${owner} ${authority.fingerprint}`;
    let resumed = resumeToken !== "";
    let version = resumed ? feed.versionOf(resumeToken, seer()) : 0;
    const sent = new Set<string>();
    const eventFor = ({ name, record, facts }: SessionChanged): Event | undefined => {
      const seen = maySee(authority, owner, facts);
      if (seen && record !== undefined && labelsMatch(labels, record.labels)) {
        sent.add(name);
        return { $case: "session", value: shown(record.toMessage(), record, { authority, owner }, collector) };
      }
      // Who resumes may have been told of it by the stream before.
      return sent.delete(name) || (seen && resumed) ? { $case: "deleted", value: name } : undefined;
    };

    await watch(
      outgoing.signal,
      { draining, revoked: caller.revoked },
      {
        changes: async () => {
          const now = policies.authorityOf(caller);
          if (now.fingerprint !== authority.fingerprint) {
            // Other sessions may be seen now: all are told anew, and those that no longer may as gone.
            authority = now;
            version = 0;
            resumed = false;
          }
          for (const change of feed.since(version)) {
            const event = eventFor(change);
            if (event !== undefined && !(await outgoing.write({ event }))) return false;
            version = change.version;
          }
          return true;
        },
        bookmark: () => {
          return outgoing.write({
            event: { $case: "bookmark", value: { resumeToken: feed.tokenAt(version, seer()) } },
          });
        },
        subscribe: (listener) => {
          const unsubscribe = [feed.subscribe(listener), policies.subscribe(listener)];
          return () => {
            for (const one of unsubscribe) one();
          };
        },
      },
    );
  };
}
