import { Histogram } from "@latscope/proto";
import { expect, it } from "vitest";
import { addHistograms } from "./add-histograms.js";

const histogram = (given: Partial<Histogram>): Histogram => Histogram.fromPartial({ scale: 3, ...given });

it("adds buckets of the same bounds, whatever the first of each", () => {
  const one = histogram({ offset: 5, counts: [1n, 2n], count: 4n, zeroCount: 1n, sumNs: 10n, minNs: 0n, maxNs: 9n });
  const other = histogram({
    offset: 3,
    counts: [7n, 0n, 5n],
    count: 13n,
    overflowCount: 1n,
    sumNs: 5n,
    minNs: 2n,
    maxNs: 99n,
  });
  const sum = histogram({
    ...{ offset: 3, counts: [7n, 0n, 6n, 2n], count: 17n, zeroCount: 1n, overflowCount: 1n },
    ...{ sumNs: 15n, minNs: 0n, maxNs: 99n },
  });
  expect(addHistograms(one, other)).toEqual(sum);
  expect(addHistograms(other, one)).toEqual(sum);
});

it("changes nothing when one of them is empty", () => {
  const one = histogram({ offset: -2, counts: [1n], count: 1n, sumNs: 1n, minNs: 1n, maxNs: 1n });
  expect(addHistograms(one, histogram({}))).toEqual(one);
  expect(addHistograms(histogram({}), histogram({}))).toEqual(histogram({}));
});

it("brings the finer one down to the coarser one's buckets", () => {
  const fine = histogram({ scale: 1, offset: -3, counts: [1n, 10n, 100n, 1000n], count: 1111n });
  const coarse = histogram({ scale: 0, offset: 0, counts: [5n], count: 5n });
  // At scale 0 the indexes -3 to 0 become -2, -1, -1, 0.
  expect(addHistograms(fine, coarse)).toMatchObject({ scale: 0, offset: -2, counts: [1n, 110n, 1005n], count: 1116n });
});
