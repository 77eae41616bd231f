"""Uploads: the messages of a client that streams its request, within limits, and a digest over all of them."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor

from treaty.rpc.errors import InvalidRequest, Refused, too_large
from treaty.rpc.requests import validate


class Upload:
    """Yields the messages of a client, each checked against the rules of its proto.

    The values of the fields of type `bytes` are the content. Its digest does not depend on how the client divides the
    content into messages, so a repeat with pieces of another size has the digest of the first call.

    When a client goes away, grpc.aio ends the messages as if all had arrived, and cancels the call a moment later. So
    the first message must have the size of the content, in the field `content_bytes`, which is compared at the end.

    Args:
        read: returns the next message, or EOF.
        most: the most bytes of all messages together.
        at_end: is called with the first message and the digest of all, before the iteration ends.
    """

    def __init__(
        self, read: Callable[[], Awaitable[Any]], domain: str, most: int, at_end: Callable[[Any, bytes], None]
    ) -> None:
        self._read, self._domain, self._most, self._at_end = read, domain, most, at_end
        self._first: Any = None
        self._size = self._arrived = 0
        self._content, self._rest = hashlib.blake2b(), hashlib.blake2b()
        self.ended = False

    def __aiter__(self) -> "Upload":
        return self

    async def __anext__(self) -> Any:
        """Returns the next message.

        Raises:
            InvalidRequest: if it breaks a rule, if there is no message at all, or if content is missing at the end.
            Refused: if the messages are too large together, or do not arrive in time.
        """
        if self.ended:
            raise StopAsyncIteration
        message = await self._read()
        if message is grpc.aio.EOF and self._first is not None:
            self._check_complete()
            self.ended = True
            self._at_end(self._first, self._content.digest() + self._rest.digest())
            raise StopAsyncIteration
        validate(message, self._domain)
        self._take(message)
        return message

    def _begin(self, message: Any) -> None:
        """Keeps the first message, which has the request_id of a command. The others need not repeat it."""
        if getattr(message, "request_id", None) == "":
            raise InvalidRequest([("request_id", "the first message of an upload has the request_id, a UUID")])
        self._first = message

    def _check_complete(self) -> None:
        wanted = self._first.content_bytes
        if self._arrived != wanted:
            text = f"{wanted:,} bytes were announced, and {self._arrived:,} have come; repeat the upload"
            raise InvalidRequest([("content_bytes", text)])

    def _take(self, message: Any) -> None:
        self._size += message.ByteSize()
        if self._size > self._most:
            raise Refused(too_large(self._size, self._most, self._domain))
        if self._first is None:
            self._begin(message)
        rest = type(message)()
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_BYTES and not field.is_repeated:
                self._content.update(value)
                self._arrived += len(value)
            elif field.is_repeated:
                getattr(rest, field.name).MergeFrom(value)
            elif field.message_type is not None:
                getattr(rest, field.name).CopyFrom(value)
            else:
                setattr(rest, field.name, value)
        self._rest.update(rest.SerializeToString(deterministic=True))
