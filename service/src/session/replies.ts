import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { Failure } from "../failure/failure.js";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const maxReplies = 1000;
const keptMs = 3_600_000;

/** Answers to requests that carry an id of their own, so that a client may repeat one whose answer it missed. */
export class Replies<Response> {
  readonly #replies = new LRUCache<string, { digest: string; response: Promise<Response> }>({
    max: maxReplies,
    ttl: keptMs,
  });

  /**
   * Does the work, unless a request with this id has done it already. Failures are not kept: a repeat tries again.
   *
   * @param owner who asks: nobody gets another's answer
   * @param request the encoded request, to tell a repeat from another one
   * @throws Failure FIELD_INVALID, REQUEST_ID_REUSED
   */
  async once(owner: string, id: string, request: Uint8Array, work: () => Promise<Response>): Promise<Response> {
    if (id === "") return work();
    if (!uuid.test(id)) throw Failure.field("FIELD_INVALID", "request_id", `${JSON.stringify(id)} is not a UUID`);
    const key = `${owner} ${id.toLowerCase()}`;
    const digest = createHash("sha256").update(request).digest("base64");
    const known = this.#replies.get(key);
    if (known !== undefined) {
      if (known.digest === digest) return known.response;
      throw Failure.field("REQUEST_ID_REUSED", "request_id", "was used for another request");
    }
    const response = work();
    this.#replies.set(key, { digest, response });
    try {
      return await response;
    } catch (error) {
      this.#replies.delete(key);
      throw error;
    }
  }
}
