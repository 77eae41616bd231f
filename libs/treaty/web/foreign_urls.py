"""Calls to URLs that came from outside: none of them reaches an address that is not public, by any name or notation.

The address is checked where the socket for it is made, so the address that was checked is the one that is called: a
name that resolves to another address the second time changes nothing.
"""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from aiohttp import ClientSession

_GLOBAL_UNICAST, _TRANSLATED = ip_network("2000::/3"), ip_network("64:ff9b::/96")
_METADATA = [
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # Oracle's metadata, and addresses of protocols
        "100.100.100.200/32",  # Alibaba's
        "168.63.129.16/32",  # Azure's, which looks public
        "fd00:ec2::/32",  # Amazon's
        "fd20:ce::/32",  # Google's
    )
]
"""Networks with services of a cloud for its own machines, besides the link-local ones."""


class Forbidden(Exception):
    """The URL must not be called. The message has the reason, without the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignUrls:
    """The rules for URLs that came from outside.

    Attributes:
        private: allows loopback and private networks, for development and for receivers in one's own network.
            Link-local and metadata addresses stay forbidden.
        plain: allows http beside https.
    """

    private: bool = False
    plain: bool = False

    def check(self, url: str) -> None:
        """Checks the parts of a URL; an address that its name resolves to is checked when it is called.

        Raises:
            Forbidden: for a scheme, credentials, or an address that is not allowed.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise Forbidden("the address is not a URL") from None
        if parts.scheme not in (("https", "http") if self.plain else ("https",)):
            raise Forbidden(f"the address must begin with https://{' or http://' if self.plain else ''}")
        if not host or not url.isprintable() or "\\" in url:
            raise Forbidden("the address is not a URL")
        if "@" in parts.netloc:
            raise Forbidden("the address must not contain a user or a password")
        if ":" in host or host.replace(".", "").isdigit():
            self.check_address(host)

    def check_address(self, text: str) -> None:
        """Checks an IP address.

        Raises:
            Forbidden: if it is none in its usual notation, or if it is not allowed.
        """
        try:
            address = ip_address(text)
        except ValueError:
            raise Forbidden("the address is not a usual IP address") from None
        if not self._allows(_meant(address)):
            raise Forbidden("the address is not public")

    def _allows(self, address: IPv4Address | IPv6Address) -> bool:
        if any(address in network for network in _METADATA):
            return False
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        if isinstance(address, IPv6Address) and address.scope_id:
            return False
        if self.private and (address.is_private or address.is_loopback):
            return True
        return address.is_global and (address.version == 4 or address in _GLOBAL_UNICAST)

    def session(self, *, seconds: float) -> "ClientSession":
        """Returns a client for such URLs; call `check` before each call, and follow no redirect.

        It keeps no connection, no resolved name and no cookie. It ends a call after `seconds`, with all its parts.
        """
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        connector = TCPConnector(
            socket_factory=self._socket, use_dns_cache=False, force_close=True, happy_eyeballs_delay=None
        )
        return ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=seconds),
            auto_decompress=False,
            trust_env=False,
        )

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        self.check_address(str(address[0]))
        return socket.socket(family, kind, protocol)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Returns the IPv4 address inside an IPv6 one that carries it: mapped, 6to4 or NAT64; others are returned as is."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
