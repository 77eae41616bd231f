"""The parts of `scripts/up`: ports, changed files, the printed call, the traffic of a day."""

import json
import random
import shlex
import socket
from pathlib import Path
from typing import Any

import pytest
from commerce.money.v1.money_pb2 import Money
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from treaty.service.contexts import find_contexts

from scripts.lib.paths import ROOT
from scripts.lib.up.calls import Refused, with_steady_id
from scripts.lib.up.domains import NoSuchContext, chosen, context_of
from scripts.lib.up.events import described
from scripts.lib.up.fleet import concerns
from scripts.lib.up.ports import settle
from scripts.lib.up.screen import WIDTH, advice, command
from scripts.lib.up.traffic import Day, NoSuchDeed, Traffic, mixed
from services.commerce import samples


def _a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_gives_way_to_the_next_one_which_is_remembered(tmp_path: Path) -> None:
    file, wanted = tmp_path / "ports.json", {"shop": _a_free_port()}
    with socket.socket() as other:
        other.bind(("127.0.0.1", wanted["shop"]))
        found = settle(wanted, file)
        assert found["shop"] > wanted["shop"]
    assert settle(wanted, file) == found


def test_no_two_names_get_the_same_port(tmp_path: Path) -> None:
    first = _a_free_port()
    wanted = {"a": first, "b": first, "c": first + 1}
    assert len(set(settle(wanted, tmp_path / "ports.json").values())) == 3


def test_the_documented_ports_are_those_of_the_code() -> None:
    page = (ROOT / "docs/how-to/run-it-here.md").read_text()
    missing = {name: port for name, port in chosen([]).ports.items() if f"| `{name}` | {port} |" not in page}
    assert missing == {}


@pytest.mark.parametrize(
    ("path", "context", "expected"),
    [
        ("services/commerce/ordering/api/orders.py", "commerce.ordering", True),
        ("services/commerce/ordering/api/orders.py", "commerce.inventory", False),
        ("services/commerce/money.py", "commerce.inventory", True),
        ("services/commerce/money.py", "media.library", False),
        ("services/commerce/samples.py", "commerce.inventory", False),
        ("libs/treaty/chance.py", "commerce.inventory", True),
        ("libs/contracts/commerce/money/v1/money_pb2.py", "media.library", True),
    ],
)
def test_a_changed_file_concerns_the_contexts_that_import_it(path: str, context: str, expected: bool) -> None:
    assert concerns(Path(path), context) is expected


def test_a_domain_means_its_contexts_and_a_wrong_name_is_answered_with_the_right_ones() -> None:
    assert chosen(["commerce"]).contexts == [name for name in find_contexts() if name.startswith("commerce.")]
    assert chosen(["commerce.catalog"]).contexts == ["commerce.catalog"]
    with pytest.raises(NoSuchContext, match=r"no domain or context comerce; there are commerce\.catalog"):
        chosen(["comerce"])


def test_only_the_outside_systems_of_the_chosen_contexts_run() -> None:
    found = chosen(["commerce.payments"])
    assert list(found.systems(found.ports)) == ["gateway"]
    assert f"--callback http://127.0.0.1:{found.ports['commerce.payments_http']}/webhooks/gateway" in " ".join(
        found.systems(found.ports)["gateway"]
    )
    assert {context_of(request) for request in found.opening()} == set()


def test_the_printed_call_is_one_shell_command_with_the_request_in_it() -> None:
    lines = command(samples.EXAMPLE)
    assert max(map(len, lines)) <= WIDTH - 4
    call = shlex.split("\n".join(lines))
    assert call[:4] == ["./treaty", "call", "commerce.ordering", "PlaceOrder"]
    assert json.loads(call[4])["lines"][0]["sku"] == samples.EXAMPLE.lines[0].sku


def test_without_an_example_a_call_that_lists_the_methods_is_printed(tmp_path: Path) -> None:
    lines = list(advice({"media.library": "127.0.0.1:50058"}, {}, None, ROOT / ".dev/up/logs", "somewhere"))
    assert lines[0] == "ready: 1 context. Ctrl-C ends everything."
    assert "  ./treaty call media.library" in lines


def test_samples_have_the_same_ids_at_every_start_and_no_two_the_same() -> None:
    first, second = ([with_steady_id(one).request_id for one in samples.opening()] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_an_event_is_a_line_with_its_values() -> None:
    headers = {"ce-type": "commerce.money.v1.Money", "ce-subject": "x", "ce-source": "/commerce.ordering/order-1"}
    context, text = described(headers, Money(minor_units=920, currency="GBP").SerializeToString())
    assert context == "commerce.ordering"
    assert text.split() == ["Money", "x", "minor_units=920", "currency=GBP"]
    assert described({**headers, "ce-type": "no.such.Event"}, b"")[1].split() == ["Event", "x"]


def test_a_day_has_about_the_rate_that_was_asked_for_and_is_quiet_at_night() -> None:
    day = Day(rate=2.0, seconds=240.0, bursts=0)
    rates = [day.rate_at(second) for second in range(240)]
    assert 0.8 * 2.0 < sum(rates) / len(rates) < 1.2 * 2.0
    assert day.rate_at(0) < 0.5 * day.rate_at(120)


def test_a_burst_is_ten_times_as_busy() -> None:
    calm, wild = Day(bursts=0), Day(bursts=3)
    higher = [wild.rate_at(tenth / 10) / calm.rate_at(tenth / 10) for tenth in range(1200)]
    assert {round(one) for one in higher} == {1, 10}
    assert higher.count(1.0) > 0.9 * len(higher)


def test_a_mix_has_the_named_deeds_only() -> None:
    assert {name: weight for name, (weight, _) in mixed(samples.DEEDS, "buy=3,cancel=1").items()} == {
        "buy": 3,
        "cancel": 1,
    }
    assert mixed(samples.DEEDS, "") == dict(samples.DEEDS)
    for wrong in ("by=3", "buy", "buy=-1", "buy=0"):
        with pytest.raises(NoSuchDeed, match="--mix"):
            mixed(samples.DEEDS, wrong)


async def test_every_deed_asks_for_what_its_context_understands() -> None:
    asked: list[Any] = []

    async def ask(request: Any) -> Any:
        asked.append(request)
        order = ordering.Order(returns=[ordering.Return(return_id="r1")])
        return ordering.RequestReturnResponse(order=order)

    traffic = Traffic(day=Day(), deeds=samples.DEEDS, ask=ask, refused=pytest.fail, dice=random.Random(1))
    for _ in range(3):
        for name in samples.DEEDS:
            await traffic.do(name)
    kinds = {type(request).__name__ for request in asked}
    assert {"PlaceOrderRequest", "CancelOrderRequest", "ReceiveReturnRequest", "ReceiveStockRequest"} <= kinds


async def test_a_refused_deed_ends_and_says_why() -> None:
    said: list[str] = []

    async def refuse(request: Any) -> Any:
        raise Refused("PlaceOrder refused: out of stock")

    await Traffic(day=Day(), deeds=samples.DEEDS, ask=refuse, refused=said.append).do("buy")
    assert said == ["PlaceOrder refused: out of stock"]
