"""Errors of the AMQP client as the core's: a broker that refuses this process, and one that cannot be reached."""

from aiormq.exceptions import (
    AuthenticationError,
    ChannelAccessRefused,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from treaty.messaging.broker import BrokerAway, BrokerRefused

_REFUSALS = (
    AuthenticationError,
    ProbableAuthenticationError,
    ConnectionNotAllowed,
    ChannelAccessRefused,
    InvalidFrameError,  # aiormq's error for a virtual host that is not there, or that the user may not open
)


def away(error: BaseException) -> BrokerAway:
    """Returns the core's error for one of the client: BrokerRefused for a wrong password or a missing permission."""
    kind = BrokerRefused if isinstance(error, _REFUSALS) else BrokerAway
    return kind(f"{type(error).__name__}: {error}")
