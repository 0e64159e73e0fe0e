/** The gRPC service of latscope. */
export { authCommand } from "./auth/command.js";
export { serveCommand } from "./config/command.js";
