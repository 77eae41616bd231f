// Reads the details of an error: https://google.aip.dev/193. gRPC carries them in the trailer grpc-status-details-bin,
// a serialized google.rpc.Status, whose details are messages inside google.protobuf.Any.

import protobuf from "protobufjs";

const source = `
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; string reason = 3; }
    repeated FieldViolation field_violations = 1;
  }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
`;
const { root } = protobuf.parse(source, { keepCase: true });

const TYPES = ["ErrorInfo", "BadRequest", "RetryInfo"];

// Returns {ErrorInfo, BadRequest, RetryInfo}, as far as the service sent them.
export function detailsOf(error) {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const found = {};
  for (const any of bytes ? root.lookupType("google.rpc.Status").decode(bytes).details : []) {
    const name = any.type_url.split("/google.rpc.")[1];
    if (TYPES.includes(name)) found[name] = root.lookupType(`google.rpc.${name}`).decode(any.value).toJSON();
  }
  return found;
}
