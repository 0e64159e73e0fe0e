import {
  createFileRegistry,
  fromBinary,
  toJson,
  type DescEnum,
  type DescField,
  type FileRegistry,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { readDescriptorSet } from "@latscope/proto/descriptors";
import { jsonString } from "./text.js";

/** Prints messages of one type. */
export type MessageJson = (bytes: Uint8Array) => string;

/**
 * How messages of a type look as one line of JSON: names as in the .proto files, enums by name, times and durations as protobuf's
 * JSON has them, 64-bit integers as exact numbers. Plain fields are always there, messages and optional fields where they are set.
 * @param typeName such as `latscope.v1.Session`
 */
export async function messageJson(typeName: string): Promise<MessageJson> {
  const files = createFileRegistry(fromBinary(FileDescriptorSetSchema, await readDescriptorSet()));
  const type = files.getMessage(typeName);
  if (type === undefined) throw new Error(`there is no message ${typeName}`);
  return (bytes) => objectJson(reflect(type, fromBinary(type, bytes)), files);
}

function objectJson(message: ReflectMessage, files: FileRegistry): string {
  if (message.desc.typeName.startsWith("google.protobuf.")) {
    return JSON.stringify(toJson(message.desc, message.message, { registry: files }));
  }
  const members = message.fields
    .filter((field) => message.isSet(field) || field.presence === FeatureSet_FieldPresence.IMPLICIT)
    .map((field) => `${jsonString(field.name)}:${fieldJson(message, field, files)}`);
  return `{${members.join(",")}}`;
}

function fieldJson(message: ReflectMessage, field: DescField, files: FileRegistry): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalarJson(message.get(field));
    case "enum":
      return enumJson(message.get(field), field.enum);
    case "message":
      return objectJson(message.get(field), files);
    case "list": {
      const values = [...message.get(field)].map((value) => elementJson(value, field.enum, files));
      return `[${values.join(",")}]`;
    }
    case "map": {
      const entries = [...message.get(field)].map(
        ([key, value]) => `${jsonString(String(key))}:${elementJson(value, field.enum, files)}`,
      );
      return `{${entries.join(",")}}`;
    }
  }
}

function elementJson(value: unknown, type: DescEnum | undefined, files: FileRegistry): string {
  if (type !== undefined) return enumJson(value, type);
  return isMessage(value) ? objectJson(value, files) : scalarJson(value);
}

function isMessage(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "message" in value;
}

function enumJson(value: unknown, type: DescEnum): string {
  const known = type.values.find(({ number }) => number === value);
  return known === undefined ? String(value) : jsonString(known.name);
}

function scalarJson(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return jsonString(value);
  if (value instanceof Uint8Array) return jsonString(Buffer.from(value).toString("base64"));
  // JSON has no such numbers; protobuf's JSON has strings for them.
  if (typeof value === "number" && !Number.isFinite(value)) return jsonString(String(value));
  return JSON.stringify(value);
}
