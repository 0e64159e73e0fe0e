import { styleText } from "node:util";

/** The styles of a sample's line. */
export type Style = "dim" | "bold" | "red" | "yellow";

/** Puts a style on a text, or leaves it alone. */
export type Paint = (style: Style, text: string) => string;

export const noPaint: Paint = (_style, text) => text;

/** Colour only for a terminal that can and a person who has not set NO_COLOR (no-color.org: any value but the empty one). */
export function paintFor(output: { isTTY?: boolean }, environment: NodeJS.ProcessEnv): Paint {
  const refused = (environment["NO_COLOR"] ?? "") !== "" || environment["TERM"] === "dumb";
  if (output.isTTY !== true || refused) return noPaint;
  // The stream was looked at here, where a test can choose it.
  return (style, text) => styleText(style, text, { validateStream: false });
}
