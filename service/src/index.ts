/** The gRPC service of latscope. */
export { authCommand } from "./auth/command.js";
export { configCommand, serveCommand } from "./config/command.js";
export { configurationReference } from "./config/reference.js";
