// Controls, formats (zero width, right-to-left overrides), surrogates, private use, and the separators that break lines.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const plain = /^[\x20-\x7e]*$/;

/** A string from the kernel or the wire as one line that cannot drive a terminal: `\xNN`, beyond that `\u{N}`. */
export function printable(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unprintable, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}

/** A string as JSON with nothing in it that a terminal acts on; a parser gets the same string back. */
export function jsonString(text: string): string {
  const json = JSON.stringify(text);
  if (plain.test(json)) return json;
  return json.replace(unprintable, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
