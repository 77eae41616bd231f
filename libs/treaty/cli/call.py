"""`treaty call`: makes one gRPC call to a running context. It reads the contract from the server, by reflection."""

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any

import grpc
import typer
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from rich.console import Console

from treaty.chance import RandomIds
from treaty.cli.context import fail
from treaty.rpc.errors import details_of
from treaty.settings import ProcessSettings, SettingsError, read_settings


def call(
    context: Annotated[str, typer.Argument(help="the context, such as commerce.ordering")],
    method: Annotated[str, typer.Argument(help="the method, such as ListOrders; without it, they are listed")] = "",
    request: Annotated[str, typer.Argument(help="the request as JSON")] = "{}",
    at: Annotated[str, typer.Option("--at", help="host:port; by default as TREATY_PEERS says")] = "",
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="the deadline")] = 10.0,
) -> None:
    """Call a method of a running context. A missing request_id is chosen, and the call begins a trace."""
    target = at or _address(context)
    with grpc.insecure_channel(target) as channel:
        try:
            methods = _methods(channel, context, seconds)
            if not method:
                typer.echo("\n".join(sorted(methods)))
                return
            _ask(channel, _chosen(methods, method, context), request, seconds)
        except grpc.FutureTimeoutError:
            fail(f"nothing answers at {target}: start {context}, or name its address with --at or TREATY_PEERS")
        except grpc.RpcError as error:
            fail(_sentence(error, context, target))


def _address(context: str) -> str:
    try:
        return read_settings(ProcessSettings, os.environ).address_of(context)
    except SettingsError as error:
        fail(str(error))


def _methods(channel: Any, context: str, seconds: float) -> Mapping[str, MethodDescriptor]:
    """Returns the methods of a context, by their short names, as its server describes them."""
    grpc.channel_ready_future(channel).result(timeout=seconds)
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    services = [name for name in database.get_services() if name.startswith(f"{context}.")]
    return {m.name: m for service in services for m in pool.FindServiceByName(service).methods}


def _chosen(methods: Mapping[str, MethodDescriptor], name: str, context: str) -> MethodDescriptor:
    if name.rpartition("/")[2] not in methods:
        fail(f"{context} has no method {name}; there are {', '.join(sorted(methods))}")
    return methods[name.rpartition("/")[2]]


def _ask(channel: Any, method: MethodDescriptor, text: str, seconds: float) -> None:
    """Makes the call, and prints the answer; of a stream, every message until the deadline or Ctrl-C."""
    ids = RandomIds()
    request = _parsed(method, text)
    if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
        request.request_id = ids.new()
        typer.echo(f"request_id {request.request_id}", err=True)
    trace = ids.new().replace("-", "")
    typer.echo(f"trace      {trace}", err=True)
    connect = channel.unary_stream if method.server_streaming else channel.unary_unary
    asking = connect(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    answer = asking(request, timeout=seconds, metadata=[("traceparent", f"00-{trace}-{trace[:16]}-01")])
    if method.server_streaming:
        _print_until_deadline(answer)
    else:
        _print(answer)


def _print_until_deadline(messages: Any) -> None:
    try:
        for message in messages:
            _print(message)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            raise


def _print(message: Any) -> None:
    text = json_format.MessageToJson(message, preserving_proto_field_name=True, ensure_ascii=False)
    Console(soft_wrap=True).print_json(text)


def _parsed(method: MethodDescriptor, text: str) -> Any:
    request = GetMessageClass(method.input_type)()
    try:
        return json_format.Parse(text, request)
    except json_format.ParseError as error:
        fields = ", ".join(_field(field) for field in method.input_type.fields)
        fail(f"the request is not a {method.input_type.name}: {error}; its fields are {fields or 'none'}")


def _field(field: FieldDescriptor) -> str:
    return f"{field.name} ({field.message_type.name})" if field.message_type else str(field.name)


def _sentence(error: Any, context: str, target: str) -> str:
    """Returns a sentence about a failed call, with the reason and the values that the service gave."""
    info, status = error_details_pb2.ErrorInfo(), details_of(error)
    for detail in status.details if status else ():
        detail.Unpack(info)
    reason = f" ({info.reason})" if info.reason else ""
    values = f" {json.dumps(dict(info.metadata))}" if info.metadata else ""
    return f"{context} at {target} answered {error.code().name}{reason}: {error.details()}{values}"
