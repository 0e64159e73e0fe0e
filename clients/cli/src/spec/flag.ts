import { Option } from "commander";

/** A flag with a value, parsed by a function that throws InvalidArgumentError; `earlier` is what the same flag gave before. */
export function flag<T>(flags: string, help: string, parse: (text: string, earlier: T | undefined) => T): Option {
  return new Option(flags, help).argParser(parse);
}
