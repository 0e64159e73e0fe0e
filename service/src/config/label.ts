import { z } from "zod";

/** One label, `KEY=VALUE`: a key of 1 to 63 characters, a value of at most 255. */
export const label = z.string().transform((text, context): readonly [string, string] => {
  const [, key, value] = /^([^=]{1,63})=(.{0,255})$/su.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    context.addIssue({
      code: "custom",
      message: `"${text}" is not KEY=VALUE (a key of 1 to 63 characters, a value of at most 255)`,
    });
    return z.NEVER;
  }
  return [key, value];
});
