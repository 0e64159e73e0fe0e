import type { ServerOptions } from "@grpc/grpc-js";
import type { Config } from "../config/schema.js";

/** How the HTTP/2 side behaves. Node adds bounds of its own: 64 KiB of headers, 128 of them. */
export function serverOptions({ maxConnectionAge }: Pick<Config, "maxConnectionAge">): ServerOptions {
  return {
    // A spec has bounds of its own; nobody sends more than this in good faith.
    "grpc.max_receive_message_length": 256 * 1024,
    "grpc.max_send_message_length": 1024 * 1024,
    "grpc.max_concurrent_streams": 1000,
    // A peer whose host is gone never closes its connection: only an unanswered ping tells.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.enable_channelz": 0,
    // A tenth more or less, by grpc-js: clients that came together do not come back together. Calls under way are not cut.
    ...(maxConnectionAge === undefined ? {} : { "grpc.max_connection_age_ms": maxConnectionAge }),
  };
}
