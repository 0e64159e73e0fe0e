/** The gRPC service of latscope. */
export { serveCommand } from "./config/command.js";
