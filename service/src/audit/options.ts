import { z } from "zod";
import { described, withFallback } from "../config/option.js";
import { keptFiles, rotatingFileBytes } from "../output/options.js";

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
  auditFileBytes: withFallback(rotatingFileBytes, "64MiB", {
    description: "how large the audit file gets before it is compressed and put aside",
    value: "BYTES",
  }),
  auditFiles: withFallback(keptFiles, "8", {
    description: "how many audit files that were put aside are kept",
    value: "COUNT",
  }),
};
