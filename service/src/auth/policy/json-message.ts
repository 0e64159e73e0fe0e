import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  type DescMessage,
  type FileRegistry,
  type JsonValue,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readDescriptorSet } from "@latscope/proto/descriptors";

/** What a message of the contract is made of. @param type `latscope.v1.SessionSpec` @throws Error when there is none */
export async function schemaOf(type: string): Promise<{ schema: DescMessage; registry: FileRegistry }> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await readDescriptorSet()));
  const schema = registry.getMessage(type);
  if (schema === undefined) throw new Error(`there is no message ${type}`);
  return { schema, registry };
}

/**
 * A message of the contract from its JSON, as bytes. Unlike the generated code it takes nothing for granted: a field that does not
 * exist is an error.
 *
 * @param type `latscope.v1.SessionSpec`
 * @throws Error that says what is wrong
 */
export async function messageFromJson(type: string, text: string): Promise<Uint8Array> {
  const { schema, registry } = await schemaOf(type);
  return toBinary(schema, fromJson(schema, JSON.parse(text) as JsonValue, { registry }));
}
