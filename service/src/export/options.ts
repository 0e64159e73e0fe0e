import { z } from "zod";
import { duration } from "../config/duration.js";
import { listenAddress } from "../config/listen.js";
import { absolutePath, count, described, withFallback } from "../config/option.js";
import { keptFiles, rotatingFileBytes } from "../output/options.js";

const groups = count(10_000);

const endpoint = z.string().transform((text, context): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url?.username === "" && url.password === "" && url.pathname === "/" && url.search === "";
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || !plain) {
    context.addIssue({ code: "custom", message: `"${text}" is not http://HOST:PORT or https://HOST:PORT` });
    return z.NEVER;
  }
  return url;
});

/** How numbers leave for other systems. */
export const exportOptions = {
  prometheusListen: described(listenAddress.optional(), {
    description: "serve metrics to Prometheus at http://HOST:PORT/metrics, in plaintext and to whoever can connect",
    value: "HOST:PORT",
  }),
  prometheusGroups: withFallback(groups, "100", {
    description: "how many groups of each session Prometheus is told of; the others are counted together",
    value: "COUNT",
  }),
  otlpEndpoint: described(endpoint.optional(), {
    description: "send metrics to an OpenTelemetry receiver by OTLP over gRPC, in plaintext (http) or over TLS (https)",
    value: "URL",
  }),
  otlpCa: described(absolutePath.optional(), {
    description: "who must have signed the receiver's certificate, in PEM (default: the authorities that Node knows)",
    value: "FILE",
  }),
  otlpGroups: withFallback(groups, "100", {
    description: "how many groups of each session the receiver is told of; the others are counted together",
    value: "COUNT",
  }),
  jsonFile: described(absolutePath.optional(), {
    description: "write the histograms of every session to this file, a line of JSON for each group and interval",
    value: "PATH",
  }),
  jsonFileBytes: withFallback(rotatingFileBytes, "64MiB", {
    description: "how large that file gets before it is compressed and put aside",
    value: "BYTES",
  }),
  jsonFiles: withFallback(keptFiles, "8", {
    description: "how many of those that were put aside are kept",
    value: "COUNT",
  }),
  exportInterval: withFallback(
    duration.refine((milliseconds) => milliseconds >= 100 && milliseconds <= 86_400_000, {
      error: "it must be 100ms to 1d",
    }),
    "10s",
    { description: "how often metrics are sent and lines are written", value: "TIME" },
  ),
};
