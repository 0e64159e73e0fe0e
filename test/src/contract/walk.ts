import { createFileRegistry, fromBinary, type DescField, type DescMessage, type DescMethod } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readDescriptorSet } from "@latscope/proto/descriptors";

const OWN = "latscope.v1";

/** One field of a request, and how it is reached from the request's own fields on. */
export interface Place {
  readonly steps: readonly DescField[];
  readonly field: DescField;
}

/** Every method of the contract. */
export async function methods(): Promise<DescMethod[]> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await readDescriptorSet()));
  return [...registry]
    .filter((type) => type.kind === "service")
    .filter((service) => service.file.proto.package === OWN)
    .flatMap((service) => service.methods);
}

/**
 * Every field of a request that holds a value: messages of the contract are walked through.
 *
 * @param whole whether a field is one thing, whatever is inside
 */
export function places(
  message: DescMessage,
  whole: (field: DescField) => boolean,
  steps: readonly DescField[] = [],
): Place[] {
  return message.fields.flatMap((field) => {
    const inner = field.message;
    const place = { steps, field };
    if (whole(field) || inner === undefined || field.fieldKind === "map" || !inner.typeName.startsWith(`${OWN}.`))
      return [place];
    return inner.fields.length === 0 ? [] : places(inner, whole, [...steps, field]);
  });
}

/** `session.spec.filters[0].cidrs`: as a failure names the field. */
export function pathOf({ steps, field }: Place): string {
  const before = steps.map((step) => (step.fieldKind === "list" ? `${step.name}[0]` : step.name));
  return [...before, field.name].join(".");
}

/** `Filter.cidrs`: as the table names it. */
export function keyOf({ field }: Place): string {
  return `${field.parent.name}.${field.name}`;
}
