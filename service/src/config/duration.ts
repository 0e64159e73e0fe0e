import { z } from "zod";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A span of time as a person writes it (`500ms`, `30s`, `10m`, `2h`, `1d`), in milliseconds. */
export const duration = z.string().transform((text, context): number => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = units[unit ?? ""];
  if (amount === undefined || factor === undefined) {
    context.addIssue({ code: "custom", message: `"${text}" is not a duration such as 500ms, 30s, 10m or 2h` });
    return z.NEVER;
  }
  return Math.round(Number(amount) * factor);
});
