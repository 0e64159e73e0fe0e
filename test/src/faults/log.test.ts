import { expect, test } from "vitest";

import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { answering, Witness } from "./witness.js";

const scope = scopeOfEachTest();

test("a service whose log is on a full disk measures, and stops in good order", async () => {
  const cast = await answering(await stage(scope));
  const full = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh"];
  const service = await Service.start(scope, {
    wrap: (command) => cast.network.client.wrap([...full, ...command]),
  });
  const witness = await Witness.start(cast, service);
  await witness.sees();
  await witness.settle();
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});
