"""A TCP proxy that can delay data, reset its connections, and leave them half-open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Proxy:
    """Forwards connections.

    Attributes:
        target: returns the port to which a new connection is forwarded.
        delay: seconds by which every piece of data is delayed.
        silent: data is dropped while the connections stay open, so neither side notices.
        mute: only the data from the target is dropped, so requests take effect and their answers are lost.
    """

    target: Callable[[], int]
    port: int = 0
    delay: float = 0.0
    silent: bool = False
    mute: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _connections: "set[asyncio.Task[None]]" = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accepts a connection, and forwards it in a task."""
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """Resets every connection, and waits until all are closed."""
        self.cut()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def cut(self) -> None:
        """Resets every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target())
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        pumps = [
            asyncio.create_task(self._pump(reader, back)),
            asyncio.create_task(self._pump(there, writer, answers=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers -= {writer, back}
            for side in (writer, back):
                side.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not self.silent and not (answers and self.mute):
                    writer.write(piece)
                    await writer.drain()


@asynccontextmanager
async def proxy(target: Callable[[], int]) -> AsyncIterator[Proxy]:
    """Runs a proxy on a free loopback port inside the block."""
    made = Proxy(target)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
