import { methods } from "../contract/walk.js";
import { GrpcurlStream, grpcurl } from "../harness/grpcurl.js";
import { Scope } from "../harness/scope.js";
import { stage } from "../harness/stage.js";
import { direct, SERVER } from "../harness/topology.js";
import { calls, type Call } from "./calls.js";
import { shortened } from "./shape.js";

const SOCKET = "/run/latscope/latscope.sock";

/** docs/api.md, from calls to a service of its own with a little traffic before it. */
export async function apiDocument(): Promise<string> {
  const shown = new Set(calls.map(({ method }) => method));
  const missing = (await methods())
    .map(({ parent, name }) => `${parent.typeName}/${name}`)
    .filter((name) => !shown.has(name));
  if (missing.length > 0) throw new Error(`no example of ${missing.join(", ")}`);
  const scope = new Scope();
  try {
    const { service, client, server } = await stage(scope, await direct(scope));
    await server.listen(443);
    const sections: string[] = [];
    for (const call of calls) {
      const shown = await answer(scope, service.socket, call);
      if (shown.startsWith("```text") !== (call.refused === true)) throw new Error(`${call.method}: ${shown}`);
      sections.push(section(call, shown));
      if (call.request["session_id"] !== undefined) {
        for (let n = 0; n < 3; n++) await (await client.connect(SERVER.v4, 443)).close();
      }
    }
    return [HEADER, ...sections].join("\n");
  } finally {
    await scope.close();
  }
}

const HEADER = `# The API by example

Made by \`npm run docs\`: every call below was made with [grpcurl](https://github.com/fullstorydev/grpcurl) to a running service, and
its answer is shown as it came, with long lists and texts cut. CI makes the calls again and compares which fields the answers have.
What the fields mean is said in \`proto/latscope/v1\`, what failures mean in [errors.md](errors.md).
`;

/** What grpcurl prints: messages in JSON, or the failure. */
async function answer(scope: Scope, socket: string, { method, request, messages }: Call): Promise<string> {
  if (messages === undefined) {
    const { code, stdout, stderr } = await grpcurl(socket, [method], request);
    return code === 0 ? json(parse(stdout)) : failure(stderr.replaceAll(socket, SOCKET));
  }
  const stream = new GrpcurlStream(scope, socket, method, request);
  const taken: unknown[] = [];
  try {
    while (taken.length < messages) taken.push(await stream.next());
  } catch {
    await stream.process.exit;
    return failure(stream.process.stderr);
  }
  stream.process.kill("SIGTERM");
  return json(taken);
}

function parse(stdout: string): unknown[] {
  return stdout
    .split(/^(?=\{)/m)
    .filter((text) => text.trim() !== "")
    .map((text) => JSON.parse(text) as unknown);
}

function json(messages: readonly unknown[]): string {
  const texts = messages.map((message) => JSON.stringify(shortened(message), undefined, 2));
  return ["```json", ...texts, "```"].join("\n");
}

function failure(stderr: string): string {
  return ["```text", stderr.trim(), "```"].join("\n");
}

function section({ method, about, request }: Call, shown: string): string {
  const data = Object.keys(request).length === 0 ? "" : ` -d '${JSON.stringify(request)}'`;
  const [, name] = method.split("/");
  return [
    `## ${name ?? method}`,
    "",
    about,
    "",
    "```sh",
    `grpcurl -plaintext -unix${data} ${SOCKET} ${method}`,
    "```",
    "",
    shown,
    "",
  ].join("\n");
}
