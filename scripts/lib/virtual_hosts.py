"""Virtual hosts of the broker, for a single run or for a purpose: none has the queues and messages of another."""

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


def kept(uris: Mapping[str, str], name: str) -> dict[str, str]:
    """Returns the addresses with databases and a virtual host of this name, which stay.

    The databases get the name as a prefix. A broker that does not belong to this checkout is used as it is.
    """
    mongodb = urlsplit(uris["MONGODB_URI"])
    if mongodb.path in ("", "/"):
        mongodb = mongodb._replace(path=f"/{name}")
    own = {**uris, "MONGODB_URI": urlunsplit(mongodb)}
    if os.environ.get("AMQP_URL") or not dev.env_file().exists():
        return own
    made = dev.FOLDER / "rabbitmq" / f"vhost-{name}"  # beside the data of the broker, with which it goes
    if not made.exists():
        dev.rabbitmqctl("add_vhost", name)
        dev.rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        made.touch()
    return {**own, "AMQP_URL": urlunsplit(urlsplit(uris["AMQP_URL"])._replace(path=f"/{name}"))}
