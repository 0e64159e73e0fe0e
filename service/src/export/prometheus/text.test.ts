import { Histogram } from "@latscope/proto/io/prometheus/client";
import { expect, it } from "vitest";
import { counter, gauge, histogram } from "./family.js";
import { toText } from "./text.js";

it("writes families, escapes what others chose, and leaves out what has no metric", () => {
  const value = Histogram.fromPartial({
    sampleCount: 3n,
    sampleSum: 0.5,
    bucket: [{ upperBound: 0.25, cumulativeCount: 2n }],
  });
  const families = [
    counter("a_things", "Things \\ that\nare.", [[{ name: 'q"\\\n' }, 3n]]),
    gauge("b", "Nothing.", []),
    gauge("c_ratio", "A share.", [[{ none: undefined }, 0.02]]),
    histogram("d_seconds", "Times.", [[{ session: "s" }, value]]),
  ];
  expect(toText(families)).toBe(`# HELP a_things_total Things \\\\ that\\nare.
# TYPE a_things_total counter
a_things_total{name="q\\"\\\\\\n"} 3
# HELP c_ratio A share.
# TYPE c_ratio gauge
c_ratio 0.02
# HELP d_seconds Times.
# TYPE d_seconds histogram
d_seconds_bucket{session="s",le="0.25"} 2
d_seconds_bucket{session="s",le="+Inf"} 3
d_seconds_sum{session="s"} 0.5
d_seconds_count{session="s"} 3
`);
});
