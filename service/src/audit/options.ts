import { z } from "zod";
import { bytes } from "../config/bytes.js";
import { described, withFallback } from "../config/option.js";

const place = z.string().regex(/^(journal|stdout|off|\/.+)$/, {
  error: "it must be journal, stdout, off or an absolute path",
});

/** Where the record of who did what goes. */
export const auditOptions = {
  audit: described(place.optional(), {
    description:
      "where each call leaves a line of JSON: the systemd journal, stdout, a file, or nowhere (default: the journal if there is one, else off)",
    value: "journal|stdout|off|PATH",
  }),
  auditFileBytes: withFallback(
    bytes.refine((amount) => amount >= 4096, { error: "it must be at least 4KiB" }),
    "64MiB",
    { description: "how large the audit file gets before it is compressed and put aside", value: "BYTES" },
  ),
  auditFiles: withFallback(z.coerce.number().int().min(0).max(1000), "8", {
    description: "how many audit files that were put aside are kept",
    value: "COUNT",
  }),
};
