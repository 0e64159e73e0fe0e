import { z } from "zod";

const units: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** An amount of memory as a person writes it (`32MiB`, `2GiB`, `0B`), in bytes. */
export const bytes = z.string().transform((text, context): number => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/.exec(text) ?? [];
  const factor = units[unit ?? ""];
  if (amount === undefined || factor === undefined) {
    context.addIssue({ code: "custom", message: `"${text}" is not an amount of memory such as 512KiB, 32MiB or 2GiB` });
    return z.NEVER;
  }
  return Math.round(Number(amount) * factor);
});
