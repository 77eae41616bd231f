"""MongoDB and RabbitMQ for development and tests. Each checkout has its own pair, in .dev/, on loopback ports."""

from scripts.lib.dev.borrow import borrow, keep
from scripts.lib.dev.lifecycle import (
    FOLDER,
    SYNC_QUEUE_NAMES,
    Status,
    down,
    env_file,
    kill,
    rabbitmqctl,
    restart,
    servers,
    status,
    up,
)
from scripts.lib.dev.server import Failed, Unavailable

__all__ = [
    "FOLDER",
    "SYNC_QUEUE_NAMES",
    "Failed",
    "Status",
    "Unavailable",
    "borrow",
    "down",
    "env_file",
    "keep",
    "kill",
    "rabbitmqctl",
    "restart",
    "servers",
    "status",
    "up",
]
