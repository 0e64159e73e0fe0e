import { printable } from "../format/text.js";

/** What the addon says went wrong: one line for a person. */
export interface Problem {
  /** No other file will fare better. */
  final: boolean;
  message: string;
}

/** The problem in an error that the addon threw; undefined when it is another error. */
export function problemIn(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !("code" in error) || !error.message.startsWith("{")) return undefined;
  const { message, metadata } = JSON.parse(error.message) as { message: string; metadata: Record<string, string> };
  if (error.code !== "PRIVILEGE_MISSING")
    return { final: error.code !== "CAPTURE_INVALID", message: printable(message) };
  const missing = metadata["missing"] ?? "a privilege";
  return {
    final: true,
    message: `replay runs eBPF programs and lacks ${missing}: run it as root, or give it these capabilities`,
  };
}
