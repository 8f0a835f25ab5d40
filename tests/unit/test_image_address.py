"""Which URLs and addresses may be spoken to."""

from __future__ import annotations

import ipaddress

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.images.address import is_named, is_public, parse
from recsys_jobs.images.outcome import NoImage
from recsys_jobs.images.pinned_dns import Deadline, require_public

# Typed from the registries of special addresses, not taken from the code under test.
# fmt: off
NOT_PUBLIC_V4 = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
]
NOT_PUBLIC_V6 = [
    "::/128", "::1/128", "::/96", "100::/64", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16",
    "3fff::/20", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "5f00::/16", "4000::/3",
]
# fmt: on


def in_networks(networks: list[str]) -> st.SearchStrategy[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=network))


def wrappings(inner: int) -> list[ipaddress.IPv6Address]:
    """The ways to write an IPv4 address inside an IPv6 one: compatible, mapped, NAT64, 6to4, Teredo's client."""
    return [
        ipaddress.IPv6Address(inner),
        ipaddress.IPv6Address(0xFFFF << 32 | inner),
        ipaddress.IPv6Address(0x64FF9B << 96 | inner),
        ipaddress.IPv6Address(0x2002 << 112 | inner << 80),
        ipaddress.IPv6Address(0x20010000 << 96 | inner ^ 0xFFFFFFFF),
    ]


@given(in_networks(NOT_PUBLIC_V4 + NOT_PUBLIC_V6))
def test_no_special_address_is_public(address: ipaddress.IPv4Address) -> None:
    assert not is_public(address)


@given(in_networks(NOT_PUBLIC_V4))
def test_no_wrapping_makes_a_special_address_public(address: ipaddress.IPv4Address) -> None:
    assert not any(is_public(wrapped) for wrapped in wrappings(int(address)))


@given(st.ip_addresses())
def test_what_is_public_is_global_and_nowhere_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if is_public(address):
        special = [ipaddress.ip_network(network) for network in NOT_PUBLIC_V4 + NOT_PUBLIC_V6]
        assert address.is_global
        assert not any(address in network for network in special if network.version == address.version)


@pytest.mark.parametrize("address", ["8.8.8.8", "151.101.1.16", "2a04:4e42::272", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_real_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["169.254.169.254", "168.63.129.16", "fd00:ec2::254", "100.100.100.200"])
def test_metadata_services_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.com/a.jpg", "scheme"),
        ("//example.com/a.jpg", "scheme"),
        ("", "scheme"),
        ("http:///a.jpg", "without a host"),
        ("http://user:secret@example.com/a.jpg", "credentials"),
        ("http://example.com:22/a.jpg", "port 22"),
        ("http://[::1/a.jpg", "not a URL"),
        ("http://exa mple.com/\n", "not a URL"),
        ("http://example.com/" + "a" * 3000, "3019 characters"),
    ],
)
def test_urls_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(NoImage, match=words) as caught:
        parse(url)
    assert caught.value.state == "blocked"
    assert "secret" not in caught.value.detail


def test_a_url_is_parsed_into_what_is_connected_to() -> None:
    target = parse("HTTPS://Images.Example.COM/I/ä b.jpg?x=1#part")
    assert (target.host, target.port, target.url.raw_path) == ("images.example.com", 443, b"/I/%C3%A4%20b.jpg?x=1")


def test_a_redirect_is_read_relative_to_the_url_it_came_from() -> None:
    base = parse("https://example.com/a/b.jpg")
    assert str(parse("../c.jpg", base=base).url) == "https://example.com/c.jpg"
    assert parse("//other.example/c.jpg", base=base).host == "other.example"


@pytest.mark.parametrize(
    ("host", "port", "allowed", "expected"),
    [
        ("mirror", 9000, ("mirror",), True),
        ("mirror", 9000, ("Mirror:9000",), True),
        ("mirror", 9001, ("mirror:9000",), False),
        ("mirror.evil", 9000, ("mirror",), False),
        ("::1", 9000, ("[::1]:9000",), True),
        ("mirror", 80, (), False),
    ],
)
def test_a_named_host_is_named_exactly(host: str, port: int, allowed: tuple[str, ...], expected: bool) -> None:
    assert is_named(host, port, allowed) is expected


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(NoImage, match=r"two\.example is at 10\.0\.0\.7"):
        require_public("two.example", 80, ["8.8.8.8", "10.0.0.7"], ())


def test_a_named_host_may_be_private() -> None:
    assert require_public("mirror", 80, ["10.0.0.7"], ("mirror",)) == ["10.0.0.7"]


def test_no_wait_goes_beyond_the_deadline() -> None:
    deadline = Deadline()
    assert deadline.remaining(10.0) == 10.0
    with deadline.within(1.0):
        assert 0.5 < deadline.remaining(10.0) <= 1.0
        assert deadline.remaining(0.25) == 0.25
    with deadline.within(0.0), pytest.raises(httpcore.ReadTimeout):
        deadline.remaining(10.0)
