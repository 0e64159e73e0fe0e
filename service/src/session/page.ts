import { createHash } from "node:crypto";
import { Failure } from "../failure/failure.js";

const defaultPageSize = 50;
const maxPageSize = 1000;
// A message stays under 1 MiB, with room for what surrounds the list.
const maxPageBytes = 960 * 1024;

/** Which part of a list is asked for. */
export interface PageRequest {
  pageSize: number;
  pageToken: string;
  /** What else narrows the list; a token is good for the same list only. */
  filter: unknown;
}

/** A part of a list, and the token of the next (empty at the end). */
export interface Page<T> {
  items: T[];
  nextPageToken: string;
}

/**
 * Cuts a page from a list sorted by key.
 *
 * @param size encoded bytes of an item
 * @throws Failure FIELD_INVALID for a negative size, PAGE_TOKEN_INVALID for a token of another list
 */
export function paginate<T>(
  sorted: readonly T[],
  request: PageRequest,
  key: (item: T) => string,
  size: (item: T) => number,
): Page<T> {
  if (request.pageSize < 0) throw Failure.field("FIELD_INVALID", "page_size", `${request.pageSize} is negative`);
  const limit = Math.min(request.pageSize === 0 ? defaultPageSize : request.pageSize, maxPageSize);
  const digest = digestOf(request.filter);
  const after = request.pageToken === "" ? undefined : decodeToken(request.pageToken, digest);
  const rest = after === undefined ? sorted : sorted.filter((item) => key(item) > after);

  const items: T[] = [];
  let bytes = 0;
  for (const item of rest) {
    bytes += size(item);
    if (items.length === limit || (items.length > 0 && bytes > maxPageBytes)) break;
    items.push(item);
  }
  const last = items.at(-1);
  const nextPageToken = last === undefined || items.length === rest.length ? "" : encodeToken(key(last), digest);
  return { items, nextPageToken };
}

function digestOf(filter: unknown): string {
  return createHash("sha256").update(JSON.stringify(filter)).digest("base64url").slice(0, 8);
}

function encodeToken(key: string, digest: string): string {
  return Buffer.from(`${digest}${key}`).toString("base64url");
}

function decodeToken(token: string, digest: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (!text.startsWith(digest)) {
    throw Failure.field(
      "PAGE_TOKEN_INVALID",
      "page_token",
      "is not a token of this list; filters must not change between pages",
    );
  }
  return text.slice(digest.length);
}
