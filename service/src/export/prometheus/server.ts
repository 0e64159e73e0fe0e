import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { formatAddress, type ListenAddress } from "../../config/listen.js";
import { ListenError } from "../../server/listen-error.js";
import type { Exported } from "../exported.js";
import type { Exporter } from "../start.js";
import { hostFamilies } from "./host.js";
import { protobufType, toProtobuf } from "./protobuf.js";
import { SessionFamilies } from "./sessions.js";
import { textType, toText } from "./text.js";

const compress = promisify(gzip);
const path = "/metrics";
// A scraper comes every few seconds; two of them, each with a scrape that is late, are four.
const mostAtOnce = 4;
const mostConnections = 16;
const requestTimeoutMs = 10_000;

/** @param groups of each session that are told apart @throws ListenError */
export async function startPrometheus(address: ListenAddress, groups: number, exported: Exported): Promise<Exporter> {
  const endpoint = new PrometheusEndpoint(exported, groups);
  const place = await endpoint.listen(address);
  return {
    announcement: `metrics for Prometheus at ${place}`,
    counts: () => undefined,
    close: () => {
      endpoint.close();
      return Promise.resolve();
    },
  };
}

/** Serves what a Prometheus scrapes, over plain HTTP: as protobuf with native histograms to whoever takes that, else as text. */
class PrometheusEndpoint {
  readonly #exported: Exported;
  readonly #sessions: SessionFamilies;
  readonly #server: Server;
  #underWay = 0;

  /** @param groups of each session that are told apart */
  constructor(exported: Exported, groups: number) {
    this.#exported = exported;
    this.#sessions = new SessionFamilies(exported, groups);
    this.#server = createServer({ requestTimeout: requestTimeoutMs, maxHeaderSize: 8192 }, (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.maxConnections = mostConnections;
  }

  /** @returns where it listens, with the port that it got @throws ListenError */
  listen(address: ListenAddress): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error) => {
        reject(new ListenError(`cannot listen on ${formatAddress(address)} for Prometheus: ${error.message}`));
      });
      this.#server.listen(address, () => {
        const { port } = this.#server.address() as AddressInfo;
        resolve(`http://${formatAddress({ host: address.host, port })}${path}`);
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    if (url.split("?")[0] !== path) {
      refuse(response, 404, `metrics are at ${path}`);
      return;
    }
    if (method !== "GET" && method !== "HEAD") {
      refuse(response, 405, "GET it");
      return;
    }
    if (this.#underWay >= mostAtOnce) {
      refuse(response, 503, `${mostAtOnce} scrapes are under way`);
      return;
    }
    this.#underWay += 1;
    try {
      const families = [...(await hostFamilies(this.#exported)), ...(await this.#sessions.collect())];
      const binary = headers.accept?.includes("proto=io.prometheus.client.MetricFamily") === true;
      const body = binary ? toProtobuf(families) : Buffer.from(toText(families));
      const zipped = /\bgzip\b/.test(headers["accept-encoding"] ?? "");
      response.writeHead(200, {
        "content-type": binary ? protobufType : textType,
        ...(zipped ? { "content-encoding": "gzip" } : {}),
      });
      response.end(zipped ? await compress(body) : body);
    } catch (error) {
      this.#exported.log.error({ err: error }, "a scrape failed");
      refuse(response, 500, "the service's log says why");
    } finally {
      this.#underWay -= 1;
    }
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) response.destroy();
  else response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
}
