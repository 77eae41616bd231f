"""Uploads on a real socket: cause, digest, deadline, error mapping and limits, as for every other call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from treaty.causes import Cause, current_cause
from treaty.domain import Rejected
from treaty.probes import NoProbe
from treaty.rpc import Api
from treaty.rpc.client import channel
from treaty.rpc.server import GrpcServer
from treaty.settings import ProcessSettings, read_settings
from treaty.testing import eventually
from treaty.testing.clients import refusal

UUID = "11111111-2222-4333-8444-555555555555"
CALLS = {"GRPC_HOST": "127.0.0.1", "GRPC_PORT": "0", "GRPC_LISTENERS": "1", "GRPC_DRAIN_SECONDS": "0"}
EXHAUSTED, INVALID = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT


def _messages() -> tuple[Any, Any]:
    """Returns the classes of messages with a request_id, a name and a piece; and with the size of all pieces."""
    file = descriptor_pb2.FileDescriptorProto(name="test/uploads/v1/uploads.proto", package="test.uploads.v1")
    file.syntax = "proto3"
    put, reply = file.message_type.add(name="PutRequest"), file.message_type.add(name="PutResponse")
    field = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate(
        [
            ("request_id", field.TYPE_STRING),
            ("name", field.TYPE_STRING),
            ("piece", field.TYPE_BYTES),
            ("content_bytes", field.TYPE_INT64),
        ],
        1,
    ):
        put.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    reply.field.add(name="size", number=1, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return tuple(  # type: ignore[return-value]
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"test.uploads.v1.{name}"))
        for name in ("PutRequest", "PutResponse")
    )


Put, Stored = _messages()


class Uploads:
    """Counts the bytes of an upload. `causes` has the cause of each one that was complete."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self.begun = 0
        self.left = 0
        self.after: Callable[[], Any] = lambda: None

    async def put(self, requests: AsyncIterator[Any], context: Any) -> Any:
        self.begun += 1
        size = 0
        try:
            async for message in requests:
                size += len(message.piece)
                if message.name == "early":
                    current_cause()
                if message.name == "refused":
                    raise Rejected("this is not wanted", reason="NOT_WANTED")
        except BaseException:
            self.left += 1
            raise
        await asyncio.sleep(0)
        self.after()
        self.causes.append(current_cause())
        return Stored(size=size)


@asynccontextmanager
async def served(settings: Mapping[str, str] | None = None) -> AsyncIterator[tuple[Uploads, Any]]:
    """Yields the servicer and the method of a client."""
    uploads = Uploads()

    def add(servicer: Uploads, server: Any) -> None:
        coding = {"request_deserializer": Put.FromString, "response_serializer": Stored.SerializeToString}
        methods = {"Put": grpc.stream_unary_rpc_method_handler(servicer.put, **coding)}
        handler = grpc.method_handlers_generic_handler("test.uploads.v1.UploadsService", methods)
        server.add_generic_rpc_handlers((handler,))

    process = read_settings(ProcessSettings, {**CALLS, **(settings or {})})
    server = GrpcServer(process, [Api(add, uploads)], lambda context: NoProbe())
    await server.start()
    opened = channel(f"127.0.0.1:{server.port}")
    try:
        yield (
            uploads,
            opened.stream_unary(
                "/test.uploads.v1.UploadsService/Put",
                request_serializer=Put.SerializeToString,
                response_deserializer=Stored.FromString,
            ),
        )
    finally:
        await opened.close()
        await server.stop()


def pieces(*contents: bytes, name: str = "sunset", more: int = 0) -> Iterator[Any]:
    """Yields the messages of an upload, which announces `more` bytes than it has."""
    yield Put(request_id=UUID, name=name, content_bytes=sum(map(len, contents)) + more)
    for content in contents:
        yield Put(piece=content)


class Slow:
    """A call whose messages are sent one by one."""

    def __init__(self, put: Any, **options: Any) -> None:
        self.call = put(**options)

    async def send(self, *messages: Any) -> "Slow":
        for message in messages:
            await self.call.write(message)
        return self


async def test_the_cause_of_an_upload_has_the_digest_of_all_of_it() -> None:
    async with served() as (uploads, put):
        assert (await put(pieces(b"abc", b"def"))).size == 6
        await put(pieces(b"a", b"bcdef"))
        await put(pieces(b"abc", b"deF"))
        await put(pieces(b"abc", b"def", name="other"))
    first, other_pieces, other_bytes, other_name = uploads.causes
    assert first.id == other_pieces.id == f"Put/{UUID}"
    assert first.correlation == UUID
    assert first.digest == other_pieces.digest
    assert len({first.digest, other_bytes.digest, other_name.digest}) == 3


async def test_nothing_can_be_committed_before_the_upload_is_complete() -> None:
    async with served() as (uploads, put):
        refused = await refusal(put(pieces(b"abc", name="early")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert uploads.causes == []


async def test_a_refusal_in_the_middle_has_its_reason_and_domain() -> None:
    async with served() as (_, put):
        refused = await refusal(put(pieces(b"abc", name="refused")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_WANTED")
    assert refused.domain == "test.uploads"


@pytest.mark.parametrize("messages", [[], [Put(name="sunset")]])
async def test_an_upload_without_a_first_message_or_request_id_is_refused(messages: list[Any]) -> None:
    async with served() as (uploads, put):
        refused = await refusal(put(iter(messages)))
    assert (refused.code, refused.reason) == (INVALID, "INVALID_REQUEST")
    assert uploads.causes == []


async def test_an_upload_of_the_most_bytes_is_taken_and_one_byte_more_is_refused() -> None:
    header = Put(request_id=UUID, name="sunset", content_bytes=99_000).ByteSize()
    fits = 100_000 - header - Put(piece=b"x" * 50_000).ByteSize() - 4
    async with served({"GRPC_MAX_UPLOAD_BYTES": "100000"}) as (uploads, put):
        assert (await put(pieces(b"x" * 50_000, b"y" * fits))).size == 50_000 + fits
        refused = await refusal(put(pieces(b"x" * 50_000, b"y" * (fits + 1))))
    assert (refused.code, refused.reason) == (EXHAUSTED, "REQUEST_TOO_LARGE")
    assert (len(uploads.causes), uploads.left) == (1, 1)


async def test_a_message_that_is_too_large_is_refused() -> None:
    async with served({"GRPC_MAX_MESSAGE_BYTES": "2000"}) as (_, put):
        assert (await refusal(put(pieces(b"x" * 2000)))).reason == "REQUEST_TOO_LARGE"


async def test_an_upload_that_is_cut_off_is_not_complete_and_its_handler_is_left() -> None:
    async with served() as (uploads, put):
        slow = await Slow(put).send(*pieces(b"abc", more=1))
        await eventually(lambda: uploads.begun == 1)
        slow.call.cancel()
        await eventually(lambda: uploads.left == 1)
    assert uploads.causes == []


@pytest.mark.parametrize("more", [1, -1])
async def test_an_upload_with_less_or_more_content_than_it_announced_is_refused(more: int) -> None:
    async with served() as (uploads, put):
        refused = await refusal(put(pieces(b"abc", more=more)))
    assert (refused.code, list(refused.fields)) == (INVALID, ["content_bytes"])
    assert uploads.causes == []


async def test_a_client_that_stops_sending_is_refused_after_the_patience() -> None:
    async with served({"GRPC_PATIENCE_SECONDS": "0.05"}) as (uploads, put):
        refused = await refusal((await Slow(put).send(*pieces(b"abc"))).call)
        assert (refused.code, refused.reason, refused.retry_seconds) == (EXHAUSTED, "TOO_SLOW", 1)
        assert uploads.left == 1


async def test_an_upload_that_is_not_complete_when_its_time_is_over_is_refused() -> None:
    async with served({"GRPC_UPLOAD_SECONDS": "0.1"}) as (uploads, put):
        refused = await refusal((await Slow(put).send(*pieces(b"abc", more=1))).call)
    assert (refused.code, refused.reason) == (EXHAUSTED, "TOO_SLOW")
    assert "the upload took longer than 0.1 s" in refused.message
    assert uploads.causes == []


async def test_too_many_uploads_at_once_are_refused_and_a_place_is_free_again_afterwards() -> None:
    async with served({"GRPC_MAX_UPLOADS": "2"}) as (uploads, put):
        slow = [await Slow(put).send(*pieces(b"abc")) for _ in range(2)]
        await eventually(lambda: uploads.begun == 2)
        refused = await refusal(put(pieces(b"abc")))
        assert (refused.code, refused.reason, refused.retry_seconds) == (EXHAUSTED, "OVERLOADED", 1)
        await slow[0].call.done_writing()
        await slow[0].call
        assert (await put(pieces(b"abc"))).size == 3


async def test_the_deadline_of_the_client_ends_an_upload() -> None:
    async with served() as (uploads, put):
        slow = await Slow(put, timeout=0.1).send(*pieces(b"abc", more=1))
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await slow.call
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: uploads.left == 1)
    assert uploads.causes == []


class Panic(BaseException):
    """As a native library raises it."""


@pytest.mark.parametrize("kind", [asyncio.CancelledError, Panic])
async def test_a_method_that_raises_what_is_no_exception_is_answered_with_an_internal_error(
    kind: type[BaseException],
) -> None:
    def fail() -> None:
        raise kind("from within")

    async with served() as (uploads, put):
        uploads.after = fail
        refused = await refusal(put(pieces(b"abc"), timeout=10.0))
        assert (refused.code, refused.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        uploads.after = lambda: None
        assert (await put(pieces(b"abc"))).size == 3
