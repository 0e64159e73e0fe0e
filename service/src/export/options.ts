import { z } from "zod";
import { listenAddress } from "../config/listen.js";
import { described, withFallback } from "../config/option.js";

/** How numbers leave for other systems. */
export const exportOptions = {
  prometheusListen: described(listenAddress.optional(), {
    description: "serve metrics to Prometheus at http://HOST:PORT/metrics, in plaintext and to whoever can connect",
    value: "HOST:PORT",
  }),
  prometheusGroups: withFallback(z.coerce.number().int().min(1).max(10_000), "100", {
    description: "how many groups of each session Prometheus is told of; the others are counted together",
    value: "COUNT",
  }),
};
