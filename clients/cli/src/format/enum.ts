/**
 * The names of an enum's values, `METRIC_TCP_RTT`; a number that only a newer service knows keeps it: `METRIC_99`.
 * @param members the enum, @param nameOf its generated `...ToJSON`, @param prefix what all its names begin with
 */
export function enumNames<E extends number>(
  members: Readonly<Record<string, string | E>>,
  nameOf: (value: E) => string,
  prefix: string,
): (value: number) => string {
  const known = new Map<number, string>();
  for (const value of Object.values(members))
    if (typeof value === "number" && value >= 0) known.set(value, nameOf(value));
  return (value) => known.get(value) ?? `${prefix}${value}`;
}
