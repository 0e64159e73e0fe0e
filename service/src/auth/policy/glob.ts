/**
 * Whether a pattern matches a whole name: `*` stands for any characters but the separator, `**` for any, `?` for one that is no
 * separator; everything else for itself. Without a separator `*` crosses everything.
 */
export function globMatches(pattern: string, name: string, separator = ""): boolean {
  const inside = separator === "" ? "." : `[^${escaped(separator)}]`;
  const parts = [...pattern.matchAll(/\*+|\?|[^*?]+/g)].map(([part]) => {
    if (part === "?") return inside;
    if (part === "*") return `${inside}*`;
    return part.startsWith("*") ? ".*" : escaped(part);
  });
  return new RegExp(`^${parts.join("")}$`, "su").test(name);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
