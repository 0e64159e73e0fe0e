import { Scope } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { CLIENT, direct } from "../harness/topology.js";
import { cycles, held, residentKib } from "./cycles.js";

/** Sessions that come and go: what each 1000 of them leave behind, and how long a CreateSession takes. */
const rounds = Number(process.argv[2] ?? 3);
const spec = { probes: [{ tcp: {} }], interfaces: [CLIENT.interface] };

const scope = new Scope();
try {
  const network = await direct(scope);
  const service = await Service.start(scope, network.client);
  const warm = await cycles(service, spec, 100);
  console.log(`first CreateSession ${(warm[0] ?? 0).toFixed(1)} ms`);
  console.log(JSON.stringify({ cycles: 100, ...(await held(service)), residentKib: await residentKib(service) }));
  for (let round = 1; round <= rounds; round++) {
    const took = (await cycles(service, spec, 1_000)).sort((a, b) => a - b);
    const quantile = (q: number): string => `${(took[Math.floor(took.length * q)] ?? 0).toFixed(1)} ms`;
    const state = { ...(await held(service)), residentKib: await residentKib(service) };
    console.log(JSON.stringify({ cycles: 100 + round * 1_000, ...state }));
    console.log(
      `CreateSession shortest ${quantile(0)}, median ${quantile(0.5)}, p95 ${quantile(0.95)}, p99 ${quantile(0.99)}`,
    );
  }
} finally {
  await scope.close();
}
