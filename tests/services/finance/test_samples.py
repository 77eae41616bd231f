"""The samples of the bank: its opening and its traffic run as they are, and the books are sound afterwards."""

import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from finance.accounts.v1.accounts_service_pb2_grpc import AccountsServiceStub
from finance.fraud.v1.fraud_service_pb2_grpc import FraudServiceStub
from finance.transfers.v1.transfers_service_pb2_grpc import TransfersServiceStub
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds, World, embedded

from scripts.lib.prove.bank.audit import complaints
from services.finance import samples
from tests.services.finance.bank import CONTEXTS

_STUBS: dict[str, Any] = {
    "finance.accounts.v1": AccountsServiceStub,
    "finance.fraud.v1": FraudServiceStub,
    "finance.transfers.v1": TransfersServiceStub,
}


class Client:
    """Sends the requests of the samples; a refusal is an answer too."""

    def __init__(self, world: World) -> None:
        self._channel, self._ids = world.channel, SeededIds("samples")

    async def ask(self, request: Any) -> Any:
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = self._ids.new()
        stub = _STUBS[request.DESCRIPTOR.file.package](self._channel)
        method = request.DESCRIPTOR.name.removesuffix("Request")
        return await getattr(stub, method)(request, timeout=TIMEOUT)

    async def do(self, deed: samples.Deed, dice: random.Random, made: list[str]) -> None:
        steps, reply = deed(dice, made), None
        while True:
            try:
                reply = await self.ask(steps.send(reply))
            except StopIteration:
                return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
                return


@pytest.mark.slow
async def test_the_opening_and_every_deed_leave_the_books_sound() -> None:
    async with embedded(*CONTEXTS) as world:
        client, dice, made = Client(world), random.Random(3), list[str]()
        for request in samples.opening():
            await client.ask(request)
        for deed in _deeds(dice, 60):
            await client.do(deed, dice, made)
        await eventually(lambda: _wrong(world) == [])
        assert len(made) > 10


def _wrong(world: World) -> list[str]:
    """Returns the complaints of the audit, but for transfers that wait for a review with their holds."""
    accounts, transfers = (world.stores[f"finance.{name}"].commits.commits for name in ("accounts", "transfers"))
    said = complaints(accounts, transfers)
    reviews = sum("is in-review" in text for text in said)
    open_holds = sum(text.startswith("hold ") and text.endswith("has not ended") for text in said)
    waiting = 2 * reviews if open_holds == reviews else 0
    return [] if len(said) == waiting else said


def _deeds(dice: random.Random, count: int) -> Iterator[samples.Deed]:
    names = sorted(samples.DEEDS)
    yield from (samples.DEEDS[name][1] for name in names)
    for name in dice.choices(names, [samples.DEEDS[name][0] for name in names], k=count):
        yield samples.DEEDS[name][1]
