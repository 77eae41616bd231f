"""The example clients in another language, beside a running shop."""

import re
import shutil
from pathlib import Path

import pytest

from tests.scripts.up.process import up
from tests.scripts.up.test_up import CONTEXTS

pytestmark = [
    pytest.mark.infra,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="the example clients need Node.js and npm"),
]


async def test_a_client_and_a_subscriber_in_javascript_work_with_the_shop(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with up(tmp_path, environ, *CONTEXTS) as running:
        await running.until(lambda: "change " in running.said)
        quiet = "--ignore-scripts --no-package-lock --no-audit --no-fund --silent"
        installed = await running.shell(f"npm install {quiet} --prefix examples/clients/node")
        assert installed[0] == 0, installed
        address = re.search(r"commerce\.ordering +(\S+)", running.said)
        assert address, running.said
        place = f"ORDERING={address[1]} node examples/clients/node/place_order.js"

        listen = "timeout 100 node examples/clients/node/subscribe.js > events.txt 2>&1 & listening=$!"
        until = "until grep -q {} events.txt; do sleep 0.1; done"
        confirmed = "OrderConfirmed.$(head --bytes 36 placed.txt)"
        script = [listen, until.format("listening"), f"{place} | tee placed.txt", until.format(confirmed)]
        code, said, messages = await running.shell("; ".join([*script, "kill $listening"]))
        assert code == 0, messages
        order = re.match(r"([0-9a-f-]{36}) ORDER_STATUS_PENDING 1320 GBP at order-\1@1\n", said)
        assert order, (said, messages)
        assert f"the latest order of ada is {order[1]}" in said
        events = [line.split()[0] for line in (tmp_path / "events.txt").read_text().splitlines() if order[1] in line]
        assert events[:2] == ["OrderPlaced", "OrderConfirmed"]

        code, _, messages = await running.shell(f"{place} TEA-01 300")
        assert code == 1
        assert "FAILED_PRECONDITION PRICE_CHANGED: the price has changed" in messages
        assert 'values: {"TEA-01":"350"}' in messages
        code, _, messages = await running.shell(f"{place} 'a b'")
        assert (code, "lines[0].sku: does not match" in messages) == (1, True)
