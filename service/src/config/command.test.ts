import { describe, expect, it } from "vitest";
import { serveCommand } from "./command.js";
import { optionNames } from "./schema.js";
import { flagOf, variableOf } from "./name.js";

describe("serveCommand", () => {
  it("explains every option and names its variable", () => {
    const help = serveCommand().helpInformation();
    for (const name of optionNames) {
      expect(help).toContain(flagOf(name));
      expect(help.replace(/\s+/g, " ")).toContain(variableOf(name));
    }
  });

  it("collects repeated lists and takes switches without a value", () => {
    const command = serveCommand().action(() => undefined);
    command.parse(["--listen", "127.0.0.1:1", "--listen", "[::1]:2", "--insecure"], { from: "user" });
    expect(command.opts()).toEqual({ listen: ["127.0.0.1:1", "[::1]:2"], insecure: "true" });
  });
});
