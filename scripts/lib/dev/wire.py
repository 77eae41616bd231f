"""Sends one command to a MongoDB server on loopback.

It does not use the driver, because the driver's background threads delay the end of a short program by half a second.
"""

import socket
import struct
from collections.abc import Mapping
from typing import Any

import bson

from scripts.lib.dev.ports import HOST

_OP_MSG = 2013
_HEADER = struct.Struct("<iiii")  # length of the message, request id, id responded to, operation
_BEFORE_BODY = b"\0\0\0\0\0"  # no flags; one section, of the kind "a single document"


def command(port: int, body: Mapping[str, Any], *, timeout: float = 5) -> dict[str, Any]:
    """Returns the reply of the database admin, also a refusal (`ok: 0`); raises OSError if no server answers."""
    message = _BEFORE_BODY + bson.encode({**body, "$db": "admin"})
    with socket.create_connection((HOST, port), timeout=timeout) as connection:
        connection.sendall(_HEADER.pack(_HEADER.size + len(message), 1, 0, _OP_MSG) + message)
        length = _HEADER.unpack(_receive(connection, _HEADER.size))[0]
        reply: dict[str, Any] = bson.decode(_receive(connection, length - _HEADER.size)[len(_BEFORE_BODY) :])
        return reply


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        if not (chunk := connection.recv(size - len(received))):
            raise ConnectionResetError("the server closed the connection")
        received += chunk
    return received
