import { expect, test } from "vitest";

import { scopeOfEachTest } from "../harness/scope.js";
import { Service } from "../harness/service.js";
import { stage } from "../harness/stage.js";
import { answering, connectOnce, Witness } from "./witness.js";

const scope = scopeOfEachTest();

test.each(["SIGTERM", "SIGKILL"] as const)(
  "two services on one host see the same, and %s of one takes nothing from the other",
  async (signal) => {
    const cast = await answering(await stage(scope));
    const other = await Service.start(scope, cast.network.client);
    const witnesses = [await Witness.start(cast), await Witness.start(cast, other)];
    for (let n = 0; n < 3; n++) {
      const port = await connectOnce(cast);
      await Promise.all(witnesses.map((witness) => witness.sawConnection(port)));
    }
    cast.service.process.kill(signal);
    await cast.service.process.exit;
    const left = witnesses[1];
    await left?.sees();
    await left?.settle();
    expect(await other.stop()).toEqual({ code: 0, signal: null });
  },
);
