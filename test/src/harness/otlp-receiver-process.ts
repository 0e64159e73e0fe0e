import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import {
  ExportMetricsServiceRequest,
  ExportMetricsServiceResponse,
  MetricsServiceService,
  type MetricsServiceServer,
} from "@latscope/proto/opentelemetry/collector";
import { createInterface } from "node:readline";

// A receiver made from the official proto: says its port, then prints every request as a line of JSON. "refuse" on its input makes
// it unavailable until "accept".
let refuses = false;
createInterface({ input: process.stdin }).on("line", (line) => {
  refuses = line === "refuse";
  process.stdout.write(`${line}\n`);
});

const service: MetricsServiceServer = {
  export: (call, callback) => {
    if (refuses) {
      callback({ code: status.UNAVAILABLE, details: "not now" });
      return;
    }
    process.stdout.write(`${JSON.stringify(ExportMetricsServiceRequest.toJSON(call.request))}\n`);
    callback(null, ExportMetricsServiceResponse.fromPartial({}));
  },
};

const server = new Server();
server.addService(MetricsServiceService, service);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${String(port)}\n`);
});
