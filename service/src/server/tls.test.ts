import { credentials, Metadata, status, type ChannelCredentials } from "@grpc/grpc-js";
import {
  CreateSessionRequest,
  EndReason,
  SampleServiceClient,
  SessionServiceClient,
  StreamSamplesRequest,
  type CreateSessionResponse,
  type StreamSamplesResponse,
} from "@latscope/proto";
import { HealthClient } from "@latscope/proto/grpc/health";
import { once } from "node:events";
import { createHash, randomBytes } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { authority as authorityOf } from "../auth/policy/authority.js";
import { Policies } from "../auth/policy/policies.js";
import { everything } from "../auth/policy/targets.js";
import { identity } from "../rpc/identity.js";
import { Authority, replace, type Issued } from "../testing/authority.js";
import { Inbox } from "../testing/inbox.js";
import { summaryOf } from "../testing/status-details.js";
import { startTestServer, unary, type TestServer } from "../testing/test-server.js";

let pki: string;
let authority: Authority;
let other: Authority;
let serverCert: Issued;
let client: Issued;
let signer: CryptoKey;
let jwks: string;

beforeAll(async () => {
  pki = await mkdtemp(join(tmpdir(), "latscope-"));
  authority = await Authority.create(pki, "authority");
  other = await Authority.create(pki, "other");
  serverCert = await authority.issue("server", "DNS:localhost,IP:127.0.0.1");
  client = await authority.issue("client", "URI:spiffe://example.org/tracer,DNS:tracer.example.org");
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  signer = privateKey;
  jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "one" }] });
});
afterAll(async () => {
  await rm(pki, { recursive: true });
});

const spec = { probes: [{ kind: { $case: "tcp" as const, value: {} } }] };
const token = randomBytes(32).toString("base64url");
const line = `ci ${createHash("sha256").update(token).digest("hex")}\n`;
const issuer = "https://issuer.example";

function jwt(
  changes: { sub?: string; iss?: string; aud?: string; exp?: string | number; key?: CryptoKey } = {},
): Promise<string> {
  const { sub = "robot", iss = issuer, aud = "latscope", exp = "1h", key = signer } = changes;
  const signing = new SignJWT({ team: "net" }).setProtectedHeader({ alg: "ES256", kid: "one" });
  return signing.setSubject(sub).setIssuer(iss).setAudience(aud).setExpirationTime(exp).sign(key);
}

/** Everybody who is known may do what these tests are not about. */
const operators = authorityOf({
  rule: "known",
  role: "operator",
  targets: everything,
  redaction: undefined,
  quota: undefined,
});
const policies = new Policies({ current: { authorityOf: () => operators }, subscribe: () => undefined });

/** The files of one test's listener, in a folder of their own. */
let folder: string;
let files: { cert: Issued; ca: string; tokens: string; jwks: string };
let server: TestServer;
let address: string;
const clients: { close(): void }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "latscope-"));
  const at = (name: string): string => join(folder, name);
  files = {
    cert: { cert: at("tls.crt"), key: at("tls.key") },
    ca: at("ca.crt"),
    tokens: at("tokens"),
    jwks: at("jwks"),
  };
  await replace(files.cert, serverCert);
  await copyFile(authority.cert, files.ca);
  await writeFile(files.tokens, line);
  await writeFile(files.jwks, jwks);
});
afterEach(async () => {
  for (const each of clients.splice(0)) each.close();
  await server.stop();
  await rm(folder, { recursive: true });
});

const tls = (): Record<string, string> => ({ tlsCert: files.cert.cert, tlsKey: files.cert.key });
const byCertificate = () => ({ ...tls(), clientCa: files.ca });
const byToken = () => ({ ...tls(), tokenFile: files.tokens });
const byJwt = () => ({ ...tls(), jwks: files.jwks, jwtIssuer: issuer, jwtAudience: "latscope" });
const byAll = () => ({ ...byCertificate(), ...byToken(), ...byJwt() });

async function start(flags: Record<string, string>): Promise<void> {
  server = await startTestServer({ listen: ["127.0.0.1:0"], ...flags }, { policies });
  address = server.listening.tcp[0]?.address ?? "";
}
async function trusting(issued?: Issued): Promise<ChannelCredentials> {
  const ca = await readFile(authority.cert);
  if (issued === undefined) return credentials.createSsl(ca);
  return credentials.createSsl(ca, await readFile(issued.key), await readFile(issued.cert));
}
async function bearing(text: string): Promise<ChannelCredentials> {
  const generator = credentials.createFromMetadataGenerator((_options, done) => {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${text}`);
    done(null, metadata);
  });
  return credentials.combineChannelCredentials(await trusting(), generator);
}
type ClientType<T> = new (address: string, by: ChannelCredentials, options: object) => T;
function clientOf<T extends { close(): void }>(Type: ClientType<T>, by: ChannelCredentials): T {
  const made = new Type(address, by, { "grpc.use_local_subchannel_pool": 1 });
  clients.push(made);
  return made;
}
/** Whose a session is that is made so. */
async function ownerBy(by: ChannelCredentials): Promise<string | undefined> {
  const request = CreateSessionRequest.fromPartial({ session: { spec } });
  const sessions = clientOf(SessionServiceClient, by);
  const { session } = await unary<CreateSessionResponse>((done) => sessions.createSession(request, done));
  return session?.owner;
}
async function refusalOf(by: ChannelCredentials): Promise<unknown> {
  const error: unknown = await ownerBy(by).then(
    (owner) => expect.fail(`let in as ${String(owner)}`),
    (reason: unknown) => reason,
  );
  expect(server.collector.sessions.size).toBe(0);
  return error;
}
const unauthenticated = (reason: string) => ({ code: status.UNAUTHENTICATED, reason, fields: [] });
/** A stream that has begun. */
async function streamBy(by: ChannelCredentials): Promise<Inbox<StreamSamplesResponse>> {
  const samples = clientOf(SampleServiceClient, by);
  const source = { $case: "spec" as const, value: spec };
  const stream = new Inbox(samples.streamSamples(StreamSamplesRequest.fromPartial({ source })));
  expect((await stream.next()).event?.$case).toBe("start");
  return stream;
}
/** How a stream ends whose reader may no longer read. */
async function expectRevoked(stream: Inbox<StreamSamplesResponse>): Promise<void> {
  const end = await stream.next();
  expect(end.event).toMatchObject({ $case: "end", value: { reason: EndReason.ACCESS_REVOKED } });
  expect(summaryOf(await stream.ended)).toEqual(unauthenticated("ACCESS_REVOKED"));
}

describe("a TLS listener", () => {
  it("takes a SPIFFE URI, else a DNS name of the client certificate for who it is", async () => {
    await start(byCertificate());
    expect(server.listening.tcp).toEqual([{ address, by: ["client certificates"] }]);
    expect(await ownerBy(await trusting(client))).toBe("spiffe://example.org/tracer");
    const named = await authority.issue("named", "DNS:Tracer.example.org,DNS:b.example.org,URI:https://a.example/");
    expect(await ownerBy(await trusting(named))).toBe("dns:tracer.example.org");
  });

  // Node 24 does not tell what a client sent besides its own certificate: such a one is refused there, see docs/security.md.
  const chains = Number(process.versions.node.split(".")[0]) < 24;

  it(`${chains ? "takes" : "refuses"} a certificate of an authority below its own, sent along`, async () => {
    await start(byCertificate());
    const below = await authority.below("below");
    const issued = await below.issue("leaf", "URI:spiffe://example.org/below");
    await writeFile(issued.cert, Buffer.concat([await readFile(issued.cert), await readFile(below.cert)]));
    const by = await trusting(issued);
    if (chains) expect(await ownerBy(by)).toBe("spiffe://example.org/below");
    else expect(summaryOf(await refusalOf(by))).toEqual(unauthenticated("ACCESS_REVOKED"));
  });

  it("refuses a certificate of somebody else's authority, and one that names nobody", async () => {
    await start(byCertificate());
    const foreign = await trusting(await other.issue("foreign", "URI:spiffe://example.org/tracer"));
    expect(summaryOf(await refusalOf(foreign))).toEqual(unauthenticated("CERTIFICATE_INVALID"));
    const nobody = await trusting(await authority.issue("nobody", ""));
    expect(summaryOf(await refusalOf(nobody))).toEqual(unauthenticated("CERTIFICATE_INVALID"));
    const two = await authority.issue("two", "URI:spiffe://a/b,URI:spiffe://a/c");
    expect(summaryOf(await refusalOf(await trusting(two)))).toEqual(unauthenticated("CERTIFICATE_INVALID"));
  });

  it("takes the token whose hash is in the file", async () => {
    await start(byToken());
    expect(await ownerBy(await bearing(token))).toBe("token:ci");
  });

  it.each([
    ["short", "x"],
    ["like a JWT", "a.b.c"],
    ["long", "x".repeat(20_000)],
  ])("refuses a token that is not in the file: %s", async (_, text) => {
    await start(byToken());
    expect(summaryOf(await refusalOf(await bearing(text)))).toEqual(unauthenticated("TOKEN_INVALID"));
  });

  it("takes a JWT that is signed, issued and meant as it must be", async () => {
    await start(byJwt());
    expect(await ownerBy(await bearing(await jwt()))).toBe("token:robot");
  });

  it.each([
    ["for another service", { aud: "other" }, "TOKEN_INVALID"],
    ["of another issuer", { iss: "https://other.example" }, "TOKEN_INVALID"],
    ["that is over", { exp: 1_700_000_000 }, "TOKEN_EXPIRED"],
    ["for somebody whose name is none", { sub: "a b" }, "TOKEN_INVALID"],
  ])("refuses a JWT %s", async (_, changes, reason) => {
    await start(byJwt());
    expect(summaryOf(await refusalOf(await bearing(await jwt(changes))))).toEqual(unauthenticated(reason));
  });

  it("refuses a JWT that is not signed with its key, or not signed at all", async () => {
    await start(byJwt());
    const { privateKey } = await generateKeyPair("ES256");
    const forged = await jwt({ key: privateKey });
    const [, payload = "", signature = ""] = (await jwt()).split(".");
    const header = (fields: object): string => Buffer.from(JSON.stringify(fields)).toString("base64url");
    for (const text of [
      forged,
      `${header({ alg: "none" })}.${payload}.`,
      `${header({ alg: "HS256", kid: "one" })}.${payload}.${signature}`,
      "a.b.c",
    ]) {
      expect(summaryOf(await refusalOf(await bearing(text)))).toEqual(unauthenticated("TOKEN_INVALID"));
    }
  });

  it("lets in by each of several ways, and by none of those that it was not given", async () => {
    await start(byAll());
    expect(server.listening.tcp[0]?.by).toEqual(["client certificates", "tokens", "JWTs"]);
    const owners = [trusting(client), bearing(token), bearing(await jwt())].map(async (by) => ownerBy(await by));
    expect(await Promise.all(owners)).toEqual(["spiffe://example.org/tracer", "token:ci", "token:robot"]);
    await server.stop();
    await start(byCertificate());
    expect(summaryOf(await refusalOf(await bearing(token)))).toEqual(unauthenticated("TOKEN_INVALID"));
  });

  it("tells a stranger nothing but that, whatever is asked", async () => {
    await start(byAll());
    const stranger = clientOf(HealthClient, await trusting());
    const paths = [
      "/grpc.health.v1.Health/Check",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/latscope.v1.NodeService/GetStatus",
      "/a.B/C",
    ];
    for (const path of paths) {
      const call = unary((done) => stranger.makeUnaryRequest(path, identity, identity, Buffer.from("garbage"), done));
      const error: unknown = await call.catch((reason: unknown) => reason);
      expect([path, summaryOf(error)]).toEqual([path, unauthenticated("CREDENTIALS_MISSING")]);
    }
  });

  it("speaks TLS 1.3 alone, and gRPC alone", async () => {
    await start(byToken());
    const port = Number(address.split(":")[1]);
    const ca = await readFile(authority.cert);
    const old = connectTls({ port, host: "127.0.0.1", ca, maxVersion: "TLSv1.2", ALPNProtocols: ["h2"] });
    const [refused] = (await once(old, "error")) as [Error];
    expect(refused.message).toMatch(/protocol version/);
    const web = connectTls({ port, host: "127.0.0.1", ca });
    await once(web, "secureConnect");
    web.resume();
    await once(web, "close");
    const modern = connectTls({ port, host: "127.0.0.1", ca, ALPNProtocols: ["h2"] });
    await once(modern, "secureConnect");
    expect([modern.getProtocol(), modern.alpnProtocol]).toEqual(["TLSv1.3", "h2"]);
    modern.destroy();
  });

  it("does not begin with files that it cannot use", async () => {
    const refused = async (flags: Record<string, string>): Promise<string> => {
      const error: unknown = await startTestServer({ listen: ["127.0.0.1:0"], ...flags }).catch(
        (reason: unknown) => reason,
      );
      expect((error as Error).name).toBe("ListenError");
      return (error as Error).message;
    };
    await start({ insecure: "true" });
    await replace(files.cert, { cert: serverCert.cert, key: client.key });
    expect(await refused(byToken())).toMatch(/tls\.crt and .*tls\.key are no certificate and its key/);
    await replace(files.cert, serverCert);
    await writeFile(files.tokens, `ci ${token}\n`);
    const message = await refused(byToken());
    expect(message).toMatch(/tokens:1: is not SUBJECT SHA256/);
    expect(message).not.toContain(token);
    await writeFile(files.ca, "");
    expect(await refused(byCertificate())).toMatch(/ca\.crt: has no certificate in PEM/);
    await writeFile(files.jwks, await readFile(serverCert.key));
    expect(await refused(byJwt())).toMatch(/jwks: has a private key/);
    await rm(files.jwks);
    expect(await refused(byJwt())).toMatch(/no such file.*jwks/);
  });
});

describe("a connection", () => {
  it("ends when nobody has shown in time who it is, before and after the handshake", async () => {
    await start({ ...byToken(), authenticationTimeout: "200ms" });
    const port = Number(address.split(":")[1]);
    const mute = connect(port, "127.0.0.1").resume();
    const idle = connectTls({ port, host: "127.0.0.1", ca: await readFile(authority.cert), ALPNProtocols: ["h2"] });
    idle.resume().on("error", () => undefined);
    const known = await streamBy(await bearing(token));
    await Promise.all([once(mute, "close"), once(idle, "close")]);
    const reader = [...server.collector.sessions.values()][0]?.readers[0];
    reader?.push({ event: { $case: "heartbeat", value: {} } });
    expect((await known.next()).event?.$case).toBe("heartbeat");
  });

  it("of a stranger goes when there are too many, the oldest first", async () => {
    await start({ ...byToken(), maxConnections: "8" });
    const port = Number(address.split(":")[1]);
    const [first, second] = [connect(port, "127.0.0.1").resume(), connect(port, "127.0.0.1").resume()];
    await Promise.all([once(first, "connect"), once(second, "connect")]);
    const gone = once(first, "close");
    expect(await ownerBy(await bearing(token))).toBe("token:ci");
    await gone;
    expect(second.destroyed).toBe(false);
    second.destroy();
  });
});

describe("what a listener works with", () => {
  it("is read again when it changes: a certificate, and connections there are go on", async () => {
    await start(byToken());
    const stream = await streamBy(await bearing(token));
    const served = async (): Promise<string> => {
      const socket = connectTls({
        port: Number(address.split(":")[1]),
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      });
      await once(socket, "secureConnect");
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = await served();
    await replace(files.cert, await authority.issue("renewed", "DNS:localhost,IP:127.0.0.1"));
    await server.server.reload();
    expect(await served()).not.toBe(before);
    const reader = [...server.collector.sessions.values()][0]?.readers[0];
    reader?.push({ event: { $case: "heartbeat", value: {} } });
    expect((await stream.next()).event?.$case).toBe("heartbeat");
  });

  it("stays as it was when the new files cannot be used", async () => {
    await start(byAll());
    const certificate = await readFile(files.cert.cert);
    await writeFile(files.cert.cert, certificate.subarray(0, 100));
    await writeFile(files.tokens, "nonsense\n");
    await rm(files.jwks);
    await server.server.reload();
    expect(await ownerBy(await bearing(token))).toBe("token:ci");
    expect(await ownerBy(await bearing(await jwt()))).toBe("token:robot");
    expect(await ownerBy(await trusting(client))).toBe("spiffe://example.org/tracer");
  });

  it("ends the streams of a token that is taken out, without being told, and no others", async () => {
    await start(byAll());
    const [stays, goes] = [await streamBy(await trusting(client)), await streamBy(await bearing(token))];
    await writeFile(files.tokens, "# nobody\n");
    await expectRevoked(goes);
    expect(await ownerBy(await trusting(client))).toBe("spiffe://example.org/tracer");
    stays.stream.cancel();
    const error: unknown = await ownerBy(await bearing(token)).catch((reason: unknown) => reason);
    expect(summaryOf(error)).toEqual(unauthenticated("TOKEN_INVALID"));
  });

  it("ends the streams of an authority that is taken out, and takes no more calls on their connections", async () => {
    await start(byCertificate());
    const by = await trusting(client);
    const samples = clientOf(SampleServiceClient, by);
    const source = { $case: "spec" as const, value: spec };
    const open = () => new Inbox(samples.streamSamples(StreamSamplesRequest.fromPartial({ source })));
    const stream = open();
    await stream.next();
    await copyFile(other.cert, files.ca);
    await server.server.reload();
    await expectRevoked(stream);
    expect(summaryOf(await open().ended)).toEqual(unauthenticated("ACCESS_REVOKED"));
  });

  it("keeps the streams of an authority that is renewed or joined by another", async () => {
    await start(byCertificate());
    const stream = await streamBy(await trusting(client));
    await writeFile(files.ca, Buffer.concat([await readFile(other.cert), await readFile(authority.cert)]));
    await server.server.reload();
    const reader = [...server.collector.sessions.values()][0]?.readers[0];
    reader?.push({ event: { $case: "heartbeat", value: {} } });
    expect((await stream.next()).event?.$case).toBe("heartbeat");
    expect(await ownerBy(await trusting(await other.issue("joined", "DNS:joined.example")))).toBe("dns:joined.example");
  });

  it("ends the streams of a JWT when it is over, or its key is no longer good", async () => {
    await start(byJwt());
    // The clocks of issuer and host may be half a minute apart.
    const soon = Math.floor(Date.now() / 1000) - 28;
    await expectRevoked(await streamBy(await bearing(await jwt({ exp: soon }))));
    const stream = await streamBy(await bearing(await jwt()));
    await writeFile(files.jwks, JSON.stringify({ keys: [] }));
    await server.server.reload();
    await expectRevoked(stream);
  });
});

describe("plaintext", () => {
  it("takes no tokens, and says what is to be done about one", async () => {
    await start({ insecure: "true" });
    const sessions = clientOf(SessionServiceClient, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const request = CreateSessionRequest.fromPartial({ session: { spec } });
    const call = unary((done) => sessions.createSession(request, metadata, done));
    const error: unknown = await call.catch((reason: unknown) => reason);
    expect(summaryOf(error)).toEqual(unauthenticated("TOKEN_ON_PLAINTEXT"));
    expect((error as Error).message).toContain("have the token replaced");
    expect((error as Error).message).not.toContain(token);
    expect(server.collector.sessions.size).toBe(0);
  });
});
