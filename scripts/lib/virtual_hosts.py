"""A virtual host at the broker that a run has for itself: no queue and no message of another run is in it."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from scripts.lib import dev


@contextmanager
def virtual_host(uris: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Gives the addresses back, AMQP_URL with a new virtual host, which is deleted at the end.

    A broker that is not this checkout's is used as it is.
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
