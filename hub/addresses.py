"""Which addresses may be spoken to: https to listed hosts on the public internet; this machine only where it
is itself a listed hub. Names are looked up by the connection, so the address checked is the address used."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class PrivateAddress(OSError):
    """A public name led to an address inside someone's network."""


def is_loopback_name(host: str) -> bool:
    return host.lower() in LOOPBACK_NAMES


def is_listed(url: str, hosts: Sequence[str], origins: Sequence[str]) -> bool:
    """Whether ``url`` is https on one of ``hosts`` (a leading dot stands for any subdomain and the domain itself),
    or lies at one of ``origins``, the configured addresses. Names and passwords inside a URL are refused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").lower().rstrip(".")
    if not host or parts.username is not None or parts.password is not None:
        return False
    if any(origin_of(url) == origin_of(each) for each in origins):
        return True
    return parts.scheme == "https" and port in (None, 443) and any(_covers(each.lower(), host) for each in hosts)


def origin_of(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _covers(listed: str, host: str) -> bool:
    return host == listed.lstrip(".") or (listed.startswith(".") and host.endswith(listed))


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; mapped and tunnelled forms are unwrapped first."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


class GuardedAdapter(HTTPAdapter):
    """Connections of ``requests`` that end on the public internet, or on this machine where the URL itself names
    it; checked before anything private is knocked at, and once more on the connected socket, so that no second
    look-up can lead elsewhere. Through a proxy the proxy makes the connection and the name alone is vetted."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **options)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


def _look_up(connection: HTTPConnection) -> None:
    try:
        found = socket.getaddrinfo(connection.host, connection.port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # the connection itself fails on it, with the right error
    if not all(_is_allowed(connection.host, str(address[0])) for *_, address in found):
        raise PrivateAddress(connection.host)


def _checked(connection: HTTPConnection, made: socket.socket) -> socket.socket:
    if _is_allowed(connection.host, made.getpeername()[0]):
        return made
    made.close()
    raise PrivateAddress(connection.host)


def _is_allowed(host: str, address: str) -> bool:
    return is_public(address) or (is_loopback_name(host) and ipaddress.ip_address(address).is_loopback)


class _HttpConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        _look_up(self)
        return _checked(self, super()._new_conn())


class _HttpsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        _look_up(self)
        return _checked(self, super()._new_conn())


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
