/*
 * Prints what a session has measured, a line a sample: time and latency in nanoseconds, metric, client, server.
 * No generated code: the contract is read from its .proto files when the program starts.
 *
 *   node clients/node-dynamic/print.js unix:/run/latscope/latscope.sock sessions/edge 10
 */
import { join } from "node:path";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [address = "unix:/run/latscope/latscope.sock", session = "sessions/edge", count = "10"] = process.argv.slice(2);

const definition = loadSync("latscope/v1/sample.proto", {
  includeDirs: [join(import.meta.dirname, "../../proto")],
  // 64-bit integers do not fit into a JavaScript number.
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const { SampleService } = loadPackageDefinition(definition).latscope.v1;
const client = new SampleService(address, credentials.createInsecure());

const nanoseconds = ({ seconds, nanos }) => BigInt(seconds) * 1_000_000_000n + BigInt(nanos);

const call = client.StreamSamples({ session, position: "POSITION_OLDEST", noFollow: true, maxSamples: count });
for await (const { event, rows, loss } of call) {
  // `event` names the field of the oneof that is set.
  if (event === "loss") console.error(`${loss.count} samples lost`);
  if (event !== "rows") continue;
  for (const { time, latency, metric, flow } of rows.samples) {
    const ends = `${flow.clientAddress} ${flow.clientPort} ${flow.serverAddress} ${flow.serverPort}`;
    console.log(`${nanoseconds(time)} ${nanoseconds(latency)} ${metric} ${ends}`);
  }
}
client.close();
