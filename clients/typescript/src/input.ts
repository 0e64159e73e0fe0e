interface Oneof {
  $case: string;
  value: unknown;
}

type OneofKeys<T> = { [K in keyof T]-?: NonNullable<T[K]> extends Oneof ? K : never }[keyof T];

type Choice<T> = T extends { $case: infer C extends string; value: infer V } ? Record<C, Input<V>> : never;

/**
 * A message of the contract as a person writes it, in the shape of its JSON form: fields may be left out, and a oneof is
 * the field that was chosen, `{ tcp: {} }`. Enums are the numbers of their TypeScript enums, 64-bit integers may be
 * numbers, times are `{ seconds, nanos }`. Of a message with several oneofs it can set one.
 */
export type Input<T> = T extends bigint
  ? bigint | number
  : T extends number | string | boolean
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Input<Item>[]
      : T extends object
        ? { readonly [K in Exclude<keyof T, OneofKeys<T>>]?: Input<T[K]> } & ([OneofKeys<T>] extends [never]
            ? unknown
            : Readonly<Choice<NonNullable<T[OneofKeys<T>]>>>)
        : T;
