/** A configuration that cannot be used; each line of the message names a flag, a variable or a line of the file, and what is wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
