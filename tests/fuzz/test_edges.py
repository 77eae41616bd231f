"""Whatever comes beside the body of a message: page tokens, metadata, headers of webhooks. Nothing of it is a fault."""

import base64
import random
from collections import Counter
from typing import Any

import aiohttp
import grpc
import pytest
from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from commerce.money.v1.money_pb2 import Money
from google.protobuf.message_factory import GetMessageClass
from treaty.testing.world import World
from treaty.web.webhooks import sign

from tests.fuzz.messages import mutated
from tests.fuzz.test_calls import CLEAR, methods, sent, works

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

EACH = 40
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def _a_token(world: World) -> str:
    """Returns a token that a list has given."""
    stub = CatalogServiceStub(world.channel)
    revision = ""
    for number in range(2):
        create = catalog.CreateProductRequest(
            request_id=world.ids.new(),
            sku=f"token-{number}-{world.ids.new()[:8]}",
            name=f"lamp {number}",
            list_price=Money(minor_units=100, currency="GBP"),
        )
        revision = (await stub.CreateProduct(create, timeout=10)).revision
    first = catalog.SearchProductsRequest(page_size=1, not_before=revision)
    token = (await stub.SearchProducts(first, timeout=10)).next_page_token
    assert token
    assert (await stub.SearchProducts(catalog.SearchProductsRequest(page_token=token), timeout=10)).products
    return str(token)


def _tokens(chance: random.Random, real: str) -> list[str]:
    raw = base64.urlsafe_b64decode(real)
    made = [base64.urlsafe_b64encode(mutated(chance, raw)).decode() for _ in range(EACH)]
    made += [mutated(chance, real.encode()).decode("ascii", "ignore") for _ in range(EACH)]
    made += [base64.urlsafe_b64encode(chance.randbytes(chance.randrange(1, 200))).decode() for _ in range(EACH)]
    return [token for token in made if token and token.rstrip("=") != real.rstrip("=")]


async def test_a_page_token_that_was_changed_or_made_up_is_the_clients_fault(world: World, unheard: list[Any]) -> None:
    chance, codes = random.Random(7), Counter[str]()
    real = await _a_token(world)
    for path, method in methods(world):
        if "page_token" not in method.input_type.fields_by_name:
            continue
        for token in [*_tokens(chance, real), *([] if path.endswith("/SearchProducts") else [real])]:
            request = GetMessageClass(method.input_type)(page_token=token)
            for name in ("customer_id", "sku"):
                if name in method.input_type.fields_by_name:
                    setattr(request, name, "ann")
            codes[(await sent(world, path, method, request.SerializeToString())).name] += 1
    print(f"page tokens: {dict(codes)}")
    assert codes.total() > 500
    assert set(codes) == {INVALID.name}
    assert await works(world)
    assert unheard == []


_KEYS = ("traceparent", "tracestate", "baggage", "treaty-correlation", "actor", "tenant", "authorization", "x-y-bin")
_VALUES = ("", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "ff-" + "0" * 32, "a=1,b=2", "x" * 3000, "%00", "'; --", "~")


def _metadata(chance: random.Random) -> list[tuple[str, Any]]:
    made: list[tuple[str, Any]] = []
    for _ in range(chance.randint(1, 6)):
        key = chance.choice(_KEYS)
        if key.endswith("-bin"):
            made.append((key, chance.randbytes(chance.randrange(100))))
        else:
            text = chance.choice([*_VALUES, "".join(chr(chance.randrange(32, 127)) for _ in range(60))])
            made.append((key, text.strip()))
    return made


async def test_any_metadata_leaves_a_call_what_it_is(world: World, unheard: list[Any]) -> None:
    chance, codes = random.Random(8), Counter[str]()
    for path, method in methods(world):
        if method.server_streaming:
            continue
        plain = (await sent(world, path, method, b"")).name
        for _ in range(10):
            code = await sent(world, path, method, b"", metadata=_metadata(chance))
            codes[code.name] += 1
            assert code.name == plain, path
    print(f"metadata: {dict(codes)}")
    assert codes.total() > 300
    assert {grpc.StatusCode[name] for name in codes} <= CLEAR
    assert await works(world)
    assert unheard == []


async def test_the_http_port_answers_any_message_with_a_refusal(world: World, unheard: list[Any]) -> None:
    chance, codes = random.Random(9), Counter[int]()
    server = world.host.webhooks
    assert server is not None
    paths = [hook.path for runner in world.host.runners for hook in runner.service.webhooks]
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            body = chance.randbytes(chance.choice((0, 10, 1000)))
            headers = sign("wrong", f"m-{chance.randrange(9)}", chance.choice((0, 1_700_000_000, 10**11)), body)
            name = chance.choice(list(headers))
            headers[name] = mutated(chance, headers[name].encode()).decode("latin-1")
            clean = {key: "".join(c for c in value if c.isprintable()) for key, value in headers.items()}
            for key in (*_KEYS[:4], "content-type", "content-length-x", "x-forwarded-for"):
                if chance.random() < 0.3:
                    clean[key] = chance.choice(_VALUES)
            url = f"http://127.0.0.1:{server.port}{chance.choice(paths)}"
            async with session.post(url, data=body, headers=clean) as answer:
                codes[answer.status] += 1
    print(f"webhooks: {dict(codes)}")
    assert set(codes) == {401}
    assert await works(world)
    assert unheard == []
