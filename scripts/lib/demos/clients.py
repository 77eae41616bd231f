"""The calls of a demo: over gRPC, traced, and repeated while the outcome is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treaty.chance import RandomIds
from treaty.probes import Probe
from treaty.rpc.client import call_traced, channel, until_answered

from scripts.lib.demo.calls import new_trace

_IDS = RandomIds()


@dataclass(slots=True, kw_only=True)
class Clients:
    """A client of each context.

    Attributes:
        stubs: by context, the class of its client.
        commands: counts the calls that were answered.
    """

    addresses: Mapping[str, str]
    stubs: Mapping[str, Any]
    probe: Probe
    commands: int = 0
    _channels: list[Any] = field(default_factory=list)
    _clients: dict[str, Any] = field(default_factory=dict)

    async def ask(self, request: Any, *, trace: str = "") -> Any:
        """Calls the method whose request this is, until the outcome is known. A missing request_id is chosen."""
        return await self._ask(request, request, trace)

    async def upload(self, messages: Sequence[Any]) -> Any:
        """Calls the method that takes such messages as a stream, as `ask` does."""
        return await self._ask(messages[0], messages, "")

    async def _ask(self, first: Any, request: Any, trace: str) -> Any:
        if "request_id" in first.DESCRIPTOR.fields_by_name and not first.request_id:
            first.request_id = _IDS.new()
        context = str(first.DESCRIPTOR.file.package).rpartition(".")[0]
        method = first.DESCRIPTOR.name.removesuffix("Request")
        path = f"{context}.v1.{context.rpartition('.')[2].capitalize()}Service/{method}"
        call = getattr(self._stub(context), method)
        parent = trace or new_trace(sampled=False)
        answer = await until_answered(lambda: call_traced(self.probe, call, path, request, timeout=10.0, parent=parent))
        self.commands += 1
        return answer

    def _stub(self, context: str) -> Any:
        if context not in self._clients:
            self._channels.append(channel(self.addresses[context]))
            self._clients[context] = self.stubs[context](self._channels[-1])
        return self._clients[context]

    async def close(self) -> None:
        for one in self._channels:
            await one.close()
