import { hostname } from "node:os";
import { listenerEntry } from "./listener.js";
import { keyOf, variableOf } from "./name.js";
import { metaOf, type OptionSection } from "./option.js";
import { sections } from "./schema.js";

/** docs/configuration.md: every option, from the schema that checks them. */
export function configurationReference(): string {
  const tables = Object.entries<OptionSection>(sections).map(([title, options]) => {
    const rows = Object.entries(options).map(([name, option]) => {
      const { description, value, fallback } = metaOf(option);
      const written = value === undefined ? "" : value.replaceAll("|", ", ");
      // A host's own name is no default to write down.
      const usual = fallback === hostname() ? "the host's name" : (fallback ?? "");
      return `| \`${keyOf(name)}\` | ${written} | ${usual} | ${description} | \`${variableOf(name)}\` |`;
    });
    const head = ["| option | value | default | what it is | variable |", "| --- | --- | --- | --- | --- |"];
    return [`## ${title}`, "", ...head, ...rows, ""].join("\n");
  });
  const keys = Object.keys(listenerEntry.shape).map((name) => `\`${keyOf(name)}\``);
  return [HEADER, ...tables, listenersSection(keys)].join("\n");
}

const HEADER = `# Configuration

Made by \`npm run docs\` from the schema that the service checks its configuration with.

Every option is a flag of \`latscope serve\` (\`--drain-timeout 10s\`), a variable (\`LATSCOPE_DRAIN_TIMEOUT=10s\`) and a key of the
file (\`drain-timeout: 10s\`); the first of these that is given wins. The file is \`/etc/latscope/config.yaml\`, if it is there, or what
\`--config\` or \`LATSCOPE_CONFIG\` names. It is YAML:

\`\`\`yaml
socket-group: netops
drain-timeout: 10s
node-label: [site=fra, rack=7]
\`\`\`

\`latscope config check\` prints what flags, variables and file come to and where each value comes from. It takes the flags of \`serve\`,
exits with 2 when the service would not start with them, and names the flag, the variable or the line of the file. An option that
does not exist is an error.

Times are written \`500ms\`, \`30s\`, \`10m\`, \`2h\`, \`1d\`, amounts of memory \`512KiB\`, \`32MiB\`, \`2GiB\`. A flag whose option has no value
is a switch; in the file it is \`true\` or \`false\`. Lists are repeated flags, variables with commas, lists in YAML.

The file is read at the start. What it names is read again when it changes, and at SIGHUP: certificates, keys, authorities, tokens
([security.md](security.md)).
`;

function listenersSection(keys: readonly string[]): string {
  return `## Listeners of the file

\`listen\` and what goes with it make TCP listeners that are all alike. In the file, \`listeners\` has others, each with what it needs
(${keys.join(", ")}):

\`\`\`yaml
listeners:
  - listen: 0.0.0.0:4317
    tls-cert: /etc/latscope/tls.crt
    tls-key: /etc/latscope/tls.key
    client-ca: /etc/latscope/clients.crt
  - listen: 10.0.0.5:4318
    tls-cert: /etc/latscope/tls.crt
    tls-key: /etc/latscope/tls.key
    jwks: /etc/latscope/jwks.json
    jwt-issuer: https://issuer.example.org
    jwt-audience: latscope
\`\`\`
`;
}
