"""A virtual host of the broker for a single run: it has no queues and no messages of other runs."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from scripts.lib import dev


@contextmanager
def virtual_host(uris: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yields the addresses, with a new virtual host in AMQP_URL. The virtual host is deleted after the block.

    A broker that does not belong to this checkout is used as it is.
    """
    if os.environ.get("AMQP_URL") and not dev.env_file().exists():
        yield dict(uris)
        return
    name = f"run-{uuid.uuid4().hex[:12]}"
    dev.rabbitmqctl("add_vhost", name)
    try:
        dev.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield {**uris, "AMQP_URL": urlunsplit(urlsplit(uris["AMQP_URL"])._replace(path=f"/{name}"))}
    finally:
        dev.rabbitmqctl("delete_vhost", name)
