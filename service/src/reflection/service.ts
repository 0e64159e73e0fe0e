import {
  status as codes,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  ServerReflectionService,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "@latscope/proto/grpc/reflection";
import type { Descriptors } from "./descriptors.js";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** The names under which reflection is served: the two versions have the same messages. */
export const reflectionNames = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
] as const;

export function reflectionDefinition(name: (typeof reflectionNames)[number]): ServiceDefinition {
  const { serverReflectionInfo } = ServerReflectionService;
  return { serverReflectionInfo: { ...serverReflectionInfo, path: `/${name}/ServerReflectionInfo` } };
}

/**
 * @param services the names that this server serves
 * @param draining ends the streams: a client that keeps one open must not hold up the service's end
 */
export function reflectionService(
  descriptors: Descriptors,
  services: readonly string[],
  draining: AbortSignal,
): UntypedServiceImplementation {
  return {
    serverReflectionInfo(call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>): void {
      call.on("data", (request: ServerReflectionRequest) => {
        const messageResponse = answer(descriptors, services, request);
        call.write({ validHost: request.host, originalRequest: request, messageResponse });
      });
      const end = (): void => {
        call.end();
      };
      draining.addEventListener("abort", end);
      call.once("close", () => {
        draining.removeEventListener("abort", end);
      });
      call.on("end", end);
    },
  };
}

function answer(
  descriptors: Descriptors,
  services: readonly string[],
  { messageRequest }: ServerReflectionRequest,
): Answer {
  switch (messageRequest?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return files(descriptors.byName(messageRequest.value), messageRequest.value);
    case "fileContainingSymbol":
      return files(descriptors.bySymbol(messageRequest.value), messageRequest.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      return files(descriptors.byExtension(containingType, extensionNumber), `${containingType} ${extensionNumber}`);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = descriptors.extensionNumbers(messageRequest.value);
      if (extensionNumber === undefined) return failure(codes.NOT_FOUND, `not found: ${messageRequest.value}`);
      const value = { baseTypeName: messageRequest.value, extensionNumber };
      return { $case: "allExtensionNumbersResponse", value };
    }
    default:
      return failure(codes.INVALID_ARGUMENT, "the request asks for nothing");
  }
}

function files(found: Uint8Array[] | undefined, what: string): Answer {
  if (found === undefined) return failure(codes.NOT_FOUND, `not found: ${what}`);
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto: found.map((bytes) => Buffer.from(bytes)) } };
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
