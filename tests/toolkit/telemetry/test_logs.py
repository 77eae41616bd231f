"""Log lines: they name their trace and their cause, and tell no secrets."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from treaty.causes import Cause, acting
from treaty.clock import SystemClock
from treaty.telemetry.logs import Format, Level, configure_logging
from treaty.web.server import WebhookServer

from tests.toolkit.telemetry.watchers import Watch

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CAUSE = Cause(id="PlaceOrder/r-1", correlation="r-1", trace=f"00-{TRACE}-{SPAN}-00")


class Logs:
    """A configured log, and the lines that it wrote."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def configure(self, level: Level = "info", format: Format = "json") -> Any:
        configure_logging(level, format, context="commerce.ordering", stream=self.stream)
        return structlog.get_logger()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def line(self) -> dict[str, Any]:
        (line,) = self.lines()
        return line


@pytest.fixture
def logs() -> Iterator[Logs]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    yield Logs()
    structlog.configure(**before)
    root.handlers = handlers
    root.setLevel(level)


def test_a_line_says_what_happened_where_and_when(logs: Logs) -> None:
    logs.configure().info("serving", port=50051)
    line = logs.line()
    time = datetime.fromisoformat(line.pop("time"))
    assert time.tzinfo == UTC
    assert line == {"event": "serving", "level": "info", "context": "commerce.ordering", "port": 50051}


def test_a_line_names_the_current_span(logs: Logs) -> None:
    watch, log = Watch(), logs.configure()
    with watch.probe.span("process", kind="consumer", parent=f"00-{TRACE}-{SPAN}-01"):
        log.warning("refused")
    assert (logs.line()["trace_id"], logs.line()["span_id"]) == (TRACE, watch.span().span_id)


def test_a_line_names_its_cause_and_the_request_that_it_belongs_to(logs: Logs) -> None:
    log = logs.configure()
    with acting(CAUSE):
        log.info("refused")
    log.info("idle")
    refused, idle = logs.lines()
    assert (refused["cause_id"], refused["correlation_id"]) == ("PlaceOrder/r-1", "r-1")
    assert not {"cause_id", "correlation_id", "trace_id"} & idle.keys()


def test_a_line_of_an_unsampled_request_still_names_its_trace(logs: Logs) -> None:
    log = logs.configure()
    with acting(CAUSE):
        log.info("refused")
    assert (logs.line()["trace_id"], logs.line()["span_id"]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    ("level", "events"), [("debug", ["d", "i", "w"]), ("info", ["i", "w"]), ("warning", ["w"]), ("error", [])]
)
def test_lines_below_the_level_are_left_out(logs: Logs, level: Level, events: list[str]) -> None:
    log = logs.configure(level)
    log.debug("d")
    log.info("i")
    log.warning("w")
    assert [line["event"] for line in logs.lines()] == events


@pytest.mark.parametrize("name", ["aio_pika", "aiormq.connection", "pymongo.topology", "motor", "grpc"])
def test_libraries_speak_through_the_same_log_from_warnings_on(logs: Logs, name: str) -> None:
    logs.configure("debug")
    with acting(CAUSE):
        logging.getLogger(name).info("connecting")
        logging.getLogger(name).warning("lost %s", "amqp://treaty:hidden@rabbit:5672/")
    line = logs.line()
    assert (line["event"], line["level"], line["logger"]) == ("lost amqp://***@rabbit:5672/", "warning", name)
    assert (line["context"], line["correlation_id"]) == ("commerce.ordering", "r-1")


def test_no_line_has_the_body_of_a_message(logs: Logs) -> None:
    class Returned(Exception):
        """An error of the broker's client, which shows the message."""

        def __repr__(self) -> str:
            return "body=b'private'"

        __str__ = __repr__

    Returned.__module__ = "aiormq.exceptions"
    logs.configure()
    logging.getLogger("aiormq.channel").error("Unhandled message %r returning", Returned())
    try:
        raise Returned
    except Returned as error:
        logging.getLogger("asyncio").error("Future exception was never retrieved", exc_info=error)
    first, second = logs.lines()
    assert first["event"] == "Unhandled message 'Returned' returning"
    assert second["event"] == "Future exception was never retrieved: Returned"
    assert "private" not in json.dumps([first, second])


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /private HTTP/9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nprivate\x00: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nprivate: " + b"x" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: private\r\n\r\n",
    ],
    ids=["version", "no header", "name of a header", "too long", "length"],
)
async def test_a_request_that_is_no_http_is_one_short_line(logs: Logs, sent: bytes) -> None:
    logs.configure()
    server = WebhookServer([], host="127.0.0.1", port=0, clock=SystemClock(), unread=10, patience=5)
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.0 400")
        writer.close()
    finally:
        await server.stop()
    line = logs.line()
    assert (line["level"], line["logger"]) == ("warning", "aiohttp.server")
    assert line["event"].startswith("Error handling request from 127.0.0.1: ")
    assert "exception" not in line
    assert "private" not in json.dumps(line)


def test_secrets_stay_inside(logs: Logs) -> None:
    log = logs.configure()
    uri = "mongodb://treaty:p%40ss@a:27017,b:27017/?replicaSet=rs0"
    try:
        raise ConnectionError(f"cannot reach {uri}")
    except ConnectionError as error:
        log.exception("away", why=error, told={"uri": uri, "digest_key": "k"}, tried=[uri], password="p", port=1)
    text = logs.stream.getvalue()
    assert "p%40ss" not in text
    line = logs.line()
    assert (line["password"], line["told"]["digest_key"], line["port"]) == ("***", "***", 1)
    assert "cannot reach mongodb://***@a:27017" in line["exception"]
    assert line["why"] == "cannot reach mongodb://***@a:27017,b:27017/?replicaSet=rs0"


def test_for_people_a_line_is_text(logs: Logs) -> None:
    log = logs.configure(format="console")
    log.warning("the broker is away", queue="commerce.ordering.p0")
    with acting(CAUSE):
        logging.getLogger("grpc").error("broken")
    first, second = logs.stream.getvalue().splitlines()
    assert "the broker is away" in first
    assert "queue=commerce.ordering.p0" in first
    assert "broken" in second
    assert "correlation_id=r-1" in second
