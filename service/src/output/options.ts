import { z } from "zod";
import { bytes } from "../config/bytes.js";

/** How large a file of lines gets before it is put aside. */
export const rotatingFileBytes = bytes.refine((amount) => amount >= 4096, { error: "it must be at least 4KiB" });
/** How many of those that were put aside are kept. */
export const keptFiles = z.coerce.number().int().min(0).max(1000);
