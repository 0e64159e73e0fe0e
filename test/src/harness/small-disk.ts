import { output, run } from "./command.js";
import type { Scope } from "./scope.js";
import { temporaryFolder } from "./service.js";

/** A file system with room for 64 KiB; gives its folder. */
export async function smallDisk(scope: Scope): Promise<string> {
  const folder = await temporaryFolder(scope);
  await output(["mount", "-t", "tmpfs", "-o", "size=64k", "latscope-test", folder]);
  scope.defer(async () => {
    await run(["umount", "--lazy", folder]);
  });
  return folder;
}
