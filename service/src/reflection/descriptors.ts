import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

/**
 * The files of a descriptor set, by name and by every symbol in them: packages' messages, enums and their values, services and
 * methods, fields, oneofs and extensions, nested ones and map entries included.
 */
export class Descriptors {
  readonly #files = new Map<string, { bytes: Uint8Array; dependencies: string[] }>();
  readonly #fileOfSymbol = new Map<string, string>();
  readonly #messages = new Set<string>();
  readonly #fileOfExtension = new Map<string, Map<number, string>>();

  constructor(descriptorSet: Uint8Array) {
    for (const file of fromBinary(FileDescriptorSetSchema, descriptorSet).file) this.#addFile(file);
  }

  /** The file and, after it, everything it imports. */
  byName(name: string): Uint8Array[] | undefined {
    return this.#files.has(name) ? this.#closure(name) : undefined;
  }

  /** The file that declares a fully qualified symbol, and what it imports. */
  bySymbol(symbol: string): Uint8Array[] | undefined {
    const name = this.#fileOfSymbol.get(symbol.replace(/^\./, ""));
    return name === undefined ? undefined : this.#closure(name);
  }

  byExtension(message: string, number: number): Uint8Array[] | undefined {
    const name = this.#fileOfExtension.get(message)?.get(number);
    return name === undefined ? undefined : this.#closure(name);
  }

  /** @returns undefined for a message that is not known */
  extensionNumbers(message: string): number[] | undefined {
    return this.#messages.has(message) ? [...(this.#fileOfExtension.get(message)?.keys() ?? [])] : undefined;
  }

  #closure(first: string): Uint8Array[] {
    const names = new Set([first]);
    // A set's iteration sees what is added to it on the way.
    for (const name of names) {
      for (const dependency of this.#files.get(name)?.dependencies ?? []) names.add(dependency);
    }
    return [...names].flatMap((name) => this.#files.get(name)?.bytes ?? []);
  }

  #addFile(file: FileDescriptorProto): void {
    const add = (symbol: string): void => void this.#fileOfSymbol.set(symbol, file.name);
    const addEnum = (scope: string, { name, value }: EnumDescriptorProto): void => {
      add(`${scope}${name}`);
      // The values of an enum are its siblings.
      for (const { name } of value) add(`${scope}${name}`);
    };
    const addExtension = (scope: string, { name, extendee, number }: FieldDescriptorProto): void => {
      add(`${scope}${name}`);
      const message = extendee.replace(/^\./, "");
      const numbers = this.#fileOfExtension.get(message) ?? new Map<number, string>();
      this.#fileOfExtension.set(message, numbers.set(number, file.name));
    };
    const addMessage = (scope: string, message: DescriptorProto): void => {
      const name = `${scope}${message.name}`;
      add(name);
      this.#messages.add(name);
      for (const { name: field } of [...message.field, ...message.oneofDecl]) add(`${name}.${field}`);
      for (const nested of message.nestedType) addMessage(`${name}.`, nested);
      for (const nested of message.enumType) addEnum(`${name}.`, nested);
      for (const extension of message.extension) addExtension(`${name}.`, extension);
    };

    const scope = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) addMessage(scope, message);
    for (const type of file.enumType) addEnum(scope, type);
    for (const extension of file.extension) addExtension(scope, extension);
    for (const service of file.service) {
      add(`${scope}${service.name}`);
      for (const { name } of service.method) add(`${scope}${service.name}.${name}`);
    }
    this.#files.set(file.name, { bytes: toBinary(FileDescriptorProtoSchema, file), dependencies: file.dependency });
  }
}
