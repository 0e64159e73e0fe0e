import { connect, Metric } from "@latscope/client";

/*
 * Prints what a session has measured, a line a sample: time and latency in nanoseconds, metric, client, server.
 *
 *   node clients/typescript/dist/examples/print.js unix:/run/latscope/latscope.sock sessions/edge 10
 */

const [address = "unix:/run/latscope/latscope.sock", session = "sessions/edge", count = "10"] = process.argv.slice(2);

const latscope = connect(address);
const samples = latscope.samples({
  session,
  from: "oldest",
  noFollow: true,
  maxSamples: BigInt(count),
  onLoss: (loss) => {
    console.error(`${loss.count} samples lost`);
  },
});
for await (const { timeNs, latencyNs, metric, flow } of samples) {
  const ends = `${flow?.clientAddress} ${flow?.clientPort} ${flow?.serverAddress} ${flow?.serverPort}`;
  console.log(`${timeNs} ${latencyNs} METRIC_${Metric[metric]} ${ends}`);
}
latscope.close();
