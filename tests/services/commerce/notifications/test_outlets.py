"""The outlets of Notifications: mail to a real server, text messages and webhooks over HTTP, or a box."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from treaty.clock import SystemClock
from treaty.web import ForeignUrls, Webhook
from treaty.web.webhooks import NotAuthentic

from services.commerce.notifications.application.ports import Away, Letter, Refused
from services.commerce.notifications.domain.values import Text, Topic
from services.commerce.notifications.external.mailbox import Mailbox
from services.commerce.notifications.external.receivers.client import Secrets, Webhooks
from services.commerce.notifications.external.simulator import Simulator
from services.commerce.notifications.external.sms.client import SmsGateway, sms_at
from services.commerce.notifications.external.smtp.client import SmtpMail, mail_at

TEXT = Text(topic=Topic.ORDERS, subject="Order o placed", body="We have your order o: ä €.")
LETTER = Letter(id="0" * 32, to="ann", text=TEXT)
SECRETS = Secrets("a key", "the key before", "a secret for all")
ANYWHERE = ForeignUrls(private=True, plain=True)


@asynccontextmanager
async def mail_server(file: Path | None = None) -> AsyncIterator[tuple[Simulator, SmtpMail]]:
    simulator = Simulator(file)
    async with simulator.mail_server("127.0.0.1", 0) as port:
        mail = mail_at(f"127.0.0.1:{port}", sender="shop@example.com", patience=5.0, clock=SystemClock())
        assert isinstance(mail, SmtpMail)
        async with mail:
            yield simulator, mail


async def test_mail_arrives_with_the_id_of_its_notification(tmp_path: Path) -> None:
    file = tmp_path / "mails"
    async with mail_server(file) as (simulator, mail):
        await mail.send("ann@example.com", LETTER)
        await mail.send("ann@example.com", LETTER)
    expected = {"to": "ann@example.com", "subject": "Order o placed", "message_id": f"<{'0' * 32}@example.com>"}
    assert simulator.mails == [expected] * 2
    assert [json.loads(line) for line in file.read_text().splitlines()] == [expected] * 2


async def test_a_mailbox_that_is_not_there_is_a_refusal_and_a_busy_one_is_not() -> None:
    async with mail_server() as (simulator, mail):
        with pytest.raises(Refused, match="550"):
            await mail.send("refused@example.com", LETTER)
        for _ in range(2):
            with pytest.raises(Away, match="451"):
                await mail.send("busy@example.com", LETTER)
        await mail.send("busy@example.com", LETTER)
    assert [one["to"] for one in simulator.mails] == ["busy@example.com"]


async def test_a_mail_server_that_cannot_be_reached_is_away() -> None:
    mail = SmtpMail("127.0.0.1", 9, sender="shop@example.com", patience=1.0, clock=SystemClock())
    with pytest.raises(Away):
        await mail.send("ann@example.com", LETTER)


class Counted(Simulator):
    """A mail server that counts its connections, and ends the one of a mail when it is told to."""

    connections = 0

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> Any:
        type(self).connections += 1
        session.host_name = hostname
        return responses


async def test_connections_are_kept_for_further_mails_and_no_more_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "connections", 0)
    simulator = Counted(None)
    async with simulator.mail_server("127.0.0.1", 0) as port:
        mail = SmtpMail("127.0.0.1", port, sender="shop@example.com", patience=5.0, clock=SystemClock())
        async with mail:
            for _ in range(20):
                await mail.send("ann@example.com", LETTER)
            with pytest.raises(Refused):
                await mail.send("refused@example.com", LETTER)
            await mail.send("ann@example.com", LETTER)
            assert Counted.connections == 1
            for _ in range(40):
                await mail.send("ann@example.com", LETTER)
            assert Counted.connections == 2, "a connection carries a limited number of mails"
            await asyncio.gather(*(mail.send("ann@example.com", LETTER) for _ in range(20)))
            assert len(mail._kept) == 8
    assert len(simulator.mails) == 81


class Tired(Simulator):
    """A mail server that takes three mails over each connection, and then has had enough."""

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        session.mails = getattr(session, "mails", 0) + 1
        if session.mails > 3:
            return "421 4.7.0 too many mails"
        envelope.mail_from = address
        return "250 OK"


async def test_a_server_that_has_had_enough_of_a_connection_gets_another() -> None:
    simulator = Tired(None)
    async with simulator.mail_server("127.0.0.1", 0) as port:
        mail = SmtpMail("127.0.0.1", port, sender="shop@example.com", patience=5.0, clock=SystemClock())
        for _ in range(10):
            await mail.send("ann@example.com", LETTER)
        async with mail:
            await mail.send("ann@example.com", LETTER)
    assert len(simulator.mails) == 11


async def test_a_connection_that_the_server_has_closed_is_replaced() -> None:
    simulator = Simulator(None)
    async with simulator.mail_server("127.0.0.1", 0) as port:
        mail = SmtpMail("127.0.0.1", port, sender="shop@example.com", patience=5.0, clock=SystemClock())
        await mail.send("ann@example.com", LETTER)
        transport = mail._kept[0].client.transport
        assert transport is not None
        transport.close()
        await asyncio.sleep(0.05)
        async with mail:
            await mail.send("ann@example.com", LETTER)
    assert len(simulator.mails) == 2


async def test_text_messages_go_through_the_gateway() -> None:
    simulator = Simulator()
    async with simulator.sms_gateway("127.0.0.1", 0) as port:
        gateway = sms_at(f"http://127.0.0.1:{port}/", patience=5.0)
        assert isinstance(gateway, SmsGateway)
        async with gateway:
            await gateway.send("+441134960000", LETTER)
            with pytest.raises(Refused, match="422"):
                await gateway.send("+441134960013", LETTER)
            for _ in range(2):
                with pytest.raises(Away, match="429"):
                    await gateway.send("+441134960029", LETTER)
            await gateway.send("+441134960029", LETTER)
    assert simulator.texts[0] == {"id": LETTER.id, "to": "+441134960000", "text": TEXT.body}
    assert [one["to"] for one in simulator.texts] == ["+441134960000", "+441134960029"]


async def test_webhooks_are_signed_and_a_receiver_that_says_no_is_believed() -> None:
    taken: list[Any] = []
    statuses = [204, 404, 307, 503, 429]

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        [secret] = Secrets("a key").of("ann", str(request.url))
        hook = Webhook(path="/hook", secret=secret, take=nothing)
        taken.append((hook.verified(request.headers, body, SystemClock().now()).id, json.loads(body)))
        return web.Response(status=statuses[len(taken) - 1], headers={"location": "/hook"})

    async with receiver(take) as url, hooks(ANYWHERE) as webhooks:
        await webhooks.send(url, LETTER)
        for expected in (Refused, Refused, Away, Away):
            with pytest.raises(expected):
                await webhooks.send(url, LETTER)
    said = {"id": LETTER.id, "topic": "orders", "subject": TEXT.subject, "text": TEXT.body}
    assert taken == [(f"webhook/hook/{LETTER.id}", said)] * 5


async def nothing(body: bytes) -> None:
    pass


@asynccontextmanager
async def receiver(take: Any) -> AsyncIterator[str]:
    """Serves a webhook on loopback inside the block; yields its URL."""
    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


def hooks(urls: ForeignUrls, secrets: Secrets = SECRETS) -> Webhooks:
    return Webhooks(secrets, urls, patience=5.0, clock=SystemClock())


def _accepts(secret: str, headers: Any, body: bytes) -> bool:
    try:
        Webhook(path="/hook", secret=secret, take=nothing).verified(headers, body, SystemClock().now())
    except NotAuthentic:
        return False
    return True


async def test_a_message_is_signed_with_both_secrets_of_its_receiver_and_with_no_other_receivers() -> None:
    taken: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers, await request.read()))
        return web.Response()

    async with receiver(take) as url, hooks(ANYWHERE) as webhooks:
        await webhooks.send(url, LETTER)
        [(headers, body)] = taken
        own = [Secrets(key).of("ann", url)[0] for key in ("a key", "the key before")]
        assert all(_accepts(secret, headers, body) for secret in [*own, "a secret for all"])
        assert webhooks.secret("ann", url) == own[0]
        foreign = [SECRETS.of("bob", url)[0], SECRETS.of("ann", f"{url}2")[0], Secrets("another").of("ann", url)[0]]
        assert not any(_accepts(secret, headers, body) for secret in foreign)


def test_a_key_that_becomes_the_key_before_keeps_the_secrets_of_its_receivers() -> None:
    [before] = Secrets("first").of("ann", "https://hooks.example.com/")
    assert Secrets("second", "first").of("ann", "https://hooks.example.com/")[1] == before
    assert len({before, *Secrets("second", "first").of("ann", "https://hooks.example.com/")}) == 2


async def test_a_webhook_that_is_not_public_is_refused_and_not_called() -> None:
    called: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        called.append(request)
        return web.Response()

    async with receiver(take) as url, hooks(ForeignUrls(plain=True)) as webhooks:
        for address in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
            with pytest.raises(Refused, match="not public"):
                await webhooks.send(address, LETTER)
    async with receiver(take) as url, hooks(ForeignUrls(private=True)) as webhooks:
        with pytest.raises(Refused, match="https"):
            await webhooks.send(url, LETTER)
    assert called == []


async def test_what_cannot_be_reached_over_http_is_away_and_no_address_is_refused() -> None:
    async with hooks(ANYWHERE) as webhooks:
        with pytest.raises(Away):
            await webhooks.send("http://127.0.0.1:9/", LETTER)
        for address in ("http://", "http://a..example/", f"http://{'a' * 64}.example/"):
            with pytest.raises(Refused):
                await webhooks.send(address, LETTER)


async def test_a_box_in_the_process_keeps_the_latest_letters() -> None:
    box = mail_at("simulated", sender="shop@example.com", patience=1.0, clock=SystemClock())
    assert isinstance(box, Mailbox)
    assert isinstance(sms_at("simulated", patience=1.0), Mailbox)
    for number in range(1002):
        await box.send(str(number), LETTER)
    assert (len(box.sent), box.sent[-1][0]) == (1000, "1001")
