import { isIP } from "node:net";
import { z } from "zod";
import { quotaSchema } from "../../quota/limits.js";
import { globMatches } from "./glob.js";
import { metricName, metrics } from "./metric.js";
import { roles } from "./role.js";
import { everything, type Targets } from "./targets.js";

/** Most entries of a list. */
const longestList = 256;

const text = z.string().min(1).max(4096);
const id = z.number().int().min(0).max(4_294_967_294);
const prefixLength = (most: number) => z.number().int().min(0).max(most);

/** Everything that is given must hold of a principal. */
const matcher = z
  .strictObject({
    uri: text.optional(),
    dns: text.optional(),
    subject: text.optional(),
    claims: z.record(text, z.union([z.string(), z.number(), z.boolean()])).optional(),
    uid: id.optional(),
    gid: id.optional(),
    insecure: z.literal(true).optional(),
  })
  .refine((given) => Object.keys(given).length > 0, {
    error: "names nobody; give uri, dns, subject, claims, uid, gid or insecure",
  });

const cidr = text.refine(isRange, { error: "is not a CIDR or an address" });
const cgroup = text
  .regex(/^\/(?!.*\/\/)(?!.*\/\.\.?(\/|$))/, { error: "is not a cgroup path (absolute, from the root of cgroup v2)" })
  .transform((path) => path.replace(/(?<=.)\/$/, ""));
const tracepoint = text.regex(/^[^:/]+:[^:/]+$/, { error: "is not category:name" });
const namespace = text.regex(/^(own$|\/|\*)/, { error: "is neither own nor a path" });
const metric = text.transform((pattern, context) => {
  const found = metrics.filter((metric) => globMatches(pattern, metricName(metric)));
  if (found.length > 0) return found;
  context.addIssue({
    code: "custom",
    message: `"${pattern}" is no metric such as tcp_rtt, nor a pattern of some such as tcp_*`,
  });
  return z.NEVER;
});

function granted<T extends z.ZodType>(item: T) {
  const list = z.array(item).min(1).max(longestList);
  return z.union([z.literal("all"), list]).optional();
}

const targets = z.union([
  z.literal("all").transform(() => everything),
  z
    .strictObject({
      metrics: granted(metric),
      cidrs: granted(cidr),
      interfaces: granted(text),
      networkNamespaces: granted(namespace),
      cgroups: granted(cgroup),
      binaries: granted(text),
      symbols: granted(text),
      kernelSymbols: granted(text),
      tracepoints: granted(tracepoint),
    })
    .transform((given): Targets => ({
      metrics: given.metrics === undefined || given.metrics === "all" ? "all" : [...new Set(given.metrics.flat())],
      cidrs: given.cidrs ?? [],
      interfaces: given.interfaces ?? "all",
      networkNamespaces: given.networkNamespaces ?? ["own"],
      // Below the root is everything that has a cgroup at all.
      cgroups: given.cgroups?.includes("/") === true ? "all" : (given.cgroups ?? []),
      binaries: given.binaries ?? [],
      symbols: given.symbols ?? "all",
      kernelSymbols: given.kernelSymbols ?? [],
      tracepoints: given.tracepoints ?? [],
    })),
]);

const redaction = z
  .strictObject({
    ipv4PrefixLength: prefixLength(32).optional(),
    ipv6PrefixLength: prefixLength(128).optional(),
    ports: z.boolean().optional(),
    comm: z.boolean().optional(),
    dnsNames: z.boolean().optional(),
    cgroup: z.boolean().optional(),
    pid: z.boolean().optional(),
  })
  .refine((given) => (given.ipv4PrefixLength === undefined) === (given.ipv6PrefixLength === undefined), {
    error: "ipv4-prefix-length and ipv6-prefix-length go together: the one says nothing of the other's addresses",
  });

const rule = z.strictObject({
  name: text.max(100),
  principals: z.array(matcher).min(1).max(longestList),
  role: z.enum(roles),
  targets,
  redaction: redaction.optional(),
  quota: quotaSchema.optional(),
});

/** A policy file, its keys in camel case. */
export const policySchema = z
  .strictObject({
    redaction: z.partialRecord(z.enum(roles), redaction).optional(),
    rules: z.array(rule).max(1000),
  })
  .superRefine(({ rules }, context) => {
    for (const [index, { name }] of rules.entries()) {
      if (rules.findIndex((other) => other.name === name) === index) continue;
      const message = `there is a rule "${name}" already`;
      context.addIssue({ code: "custom", path: ["rules", index, "name"], message });
    }
  });

export type PolicyFile = z.output<typeof policySchema>;
export type Matcher = z.output<typeof matcher>;
/** What is held back of what its reader may see; prefix lengths are of addresses: what is left of them. */
export type RedactionRule = z.output<typeof redaction>;

export type RuleQuota = z.output<typeof quotaSchema>;

/** As the collector reads ranges. */
function isRange(range: string): boolean {
  const [, host = "", digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
  const family = isIP(host);
  return family !== 0 && Number(digits ?? 0) <= (family === 4 ? 32 : 128);
}
