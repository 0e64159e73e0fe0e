/** How a column stands in its width. */
export type Align = "left" | "right";

/** Lines of columns two spaces apart, each as wide as its widest cell; the first row is the header. No trailing spaces. */
export function table(rows: readonly (readonly string[])[], align: readonly Align[]): string[] {
  const widths = align.map((_, column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    align
      .map((side, column) => {
        const cell = row[column] ?? "";
        return side === "left" ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
      })
      .join("  ")
      .trimEnd(),
  );
}
