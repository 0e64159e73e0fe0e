// A process that must exit by itself: `idle` leaves everything open, `closed` closes it under calls that wait.
import { Buffer } from "node:buffer";
import { SessionSpec } from "@latscope/proto";
import { Collector } from "../index.js";

const scope = { principal: "" };
const header = { node: "nodes/test", session: "sessions/process", scope };
const spec = SessionSpec.fromPartial({ probes: [{ kind: { $case: "tcp", value: {} } }], interfaces: ["lo"] });
const collector = Collector.open({ node: header.node });
const session = await collector.start("process", Buffer.from(SessionSpec.encode(spec).finish()), scope);
const reader = session.reader(Buffer.alloc(0), header);
await reader.next();
if (process.argv[2] === "closed") {
  const pending = [reader.next(), session.changes()];
  session.close();
  collector.close();
  await Promise.all(pending);
}
process.on("exit", () => {
  console.log("over");
});
