import { describe, expect, it } from "vitest";
import { paginate, type PageRequest } from "./page.js";

const names = Array.from({ length: 120 }, (_, index) => `n${String(index).padStart(3, "0")}`);
const page = (request: Partial<PageRequest>, size = 1) =>
  paginate(
    names,
    { pageSize: 0, pageToken: "", filter: {}, ...request },
    (name) => name,
    () => size,
  );

describe("paginate", () => {
  it("walks the whole list, 50 at a time by default", () => {
    const seen: string[] = [];
    const sizes: number[] = [];
    let pageToken = "";
    do {
      const { items, nextPageToken } = page({ pageToken });
      seen.push(...items);
      sizes.push(items.length);
      pageToken = nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(names);
    expect(sizes).toEqual([50, 50, 20]);
  });

  it("takes any positive size", () => {
    expect(page({ pageSize: 7 }).items).toEqual(names.slice(0, 7));
    expect(page({ pageSize: 2_000_000_000 })).toEqual({ items: names, nextPageToken: "" });
  });

  it("keeps a page under 1 MiB, but never empty", () => {
    expect(page({ pageSize: 100 }, 200 * 1024).items).toHaveLength(4);
    expect(page({ pageSize: 100 }, 2 * 1024 * 1024).items).toHaveLength(1);
  });

  it("refuses a negative size", () => {
    expect(() => page({ pageSize: -1 })).toThrow("page_size: -1 is negative");
  });

  it("refuses a token of another list, and one that is none", () => {
    const { nextPageToken } = page({ pageSize: 1 });
    expect(() => page({ pageToken: nextPageToken, filter: { labels: { a: "b" } } })).toThrow("page_token");
    expect(() => page({ pageToken: "nonsense" })).toThrow("page_token");
  });
});
