"""Which URLs and which network addresses may be spoken to.

A dump's URLs are a stranger's words: one that points to this machine, to its neighbours or to a
cloud's metadata service is refused, however it is spelled.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import httpx

from recsys_jobs.images.outcome import BLOCKED, NoImage

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = {"http": 80, "https": 443}
MAX_URL = 2048  # characters

# What `is_global` of Python 3.11 lets through and a fetcher must not.
_REFUSED_V4 = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays from IPv6 to IPv4
        "168.63.129.16/32",  # Azure's platform service, public by number and local by nature
        "224.0.0.0/4",  # multicast
    )
]
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")  # all that was ever given out for public use
_REFUSED_V6 = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them: it carries an IPv4 address inside
        "2002::/16",  # 6to4: likewise
        "3fff::/20",  # documentation
    )
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # how a machine with IPv6 alone reaches IPv4


@dataclass(frozen=True)
class Target:
    """One URL, parsed once: the connection uses these parts, so no second parser can disagree."""

    url: httpx.URL
    host: str
    port: int

    @property
    def server(self) -> str:
        """Host and port: what the circuit breaker counts by."""
        return f"{self.host}:{self.port}"


def parse(url: str, allowed: tuple[str, ...] = (), base: Target | None = None) -> Target:
    """Return the URL's parts, relative to `base` where one is given.

    Raises NoImage (blocked) unless it is http(s) without credentials, on a standard port or at a
    host that `allowed` names as host or host:port.
    """
    if len(url) > MAX_URL:
        raise NoImage(BLOCKED, f"a URL of {len(url)} characters")
    try:
        parsed = base.url.join(url) if base else httpx.URL(url)
        host = parsed.raw_host.decode("ascii").lower()
    except (httpx.InvalidURL, ValueError) as error:
        raise NoImage(BLOCKED, f"not a URL: {error}") from None
    if parsed.scheme not in PORTS:
        raise NoImage(BLOCKED, f"scheme {parsed.scheme!r} is neither http nor https")
    if parsed.userinfo:
        raise NoImage(BLOCKED, "a URL with credentials")
    if not host:
        raise NoImage(BLOCKED, "a URL without a host")
    port = parsed.port or PORTS[parsed.scheme]
    if port not in PORTS.values() and not is_named(host, port, allowed):
        raise NoImage(BLOCKED, f"port {port} of {host} is not a standard one")
    return Target(parsed, host, port)


def is_named(host: str, port: int, allowed: tuple[str, ...]) -> bool:
    """Whether the setting names this host, which may then be private or loopback."""
    bare = f"[{host}]" if ":" in host else host
    names = {name.lower() for name in allowed}
    return not names.isdisjoint({host, bare, f"{bare}:{port}"})


def is_public(address: IPAddress) -> bool:
    """Whether the address belongs to the public internet, and hides no other address inside."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _REFUSED_V4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_V6 and address.is_global and not any(address in network for network in _REFUSED_V6)
