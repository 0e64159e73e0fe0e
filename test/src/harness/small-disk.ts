import { output, run } from "./command.js";
import type { Scope } from "./scope.js";
import { temporaryFolder } from "./service.js";

/** A file system with little room; gives its folder. @param size as tmpfs takes it */
export async function smallDisk(scope: Scope, size = "64k"): Promise<string> {
  const folder = await temporaryFolder(scope);
  await output(["mount", "-t", "tmpfs", "-o", `size=${size}`, "latscope-test", folder]);
  scope.defer(async () => {
    await run(["umount", "--lazy", folder]);
  });
  return folder;
}
