/** For messages that are bytes already: the serializer and deserializer of a method that hands them on as they are. */
export function identity(bytes: Buffer): Buffer {
  return bytes;
}
