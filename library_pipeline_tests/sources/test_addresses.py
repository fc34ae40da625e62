"""Which addresses may be connected to, whatever a name server says."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library_pipeline.settings.fields import network
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.rules import (
    Address,
    AddressRefused,
    AllowedAddresses,
    is_public,
    literal_address,
)

NAT64 = int(IPv6Address("64:ff9b::"))
SIX_TO_FOUR = int(IPv6Address("2002::"))
INSIDE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00::1",
    "ff0e::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "4000::1",
]


def plain(address: Address) -> Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


addresses = st.one_of(
    st.ip_addresses(),
    st.ip_addresses(v=4).map(lambda v4: IPv6Address(f"::ffff:{v4}")),
    st.ip_addresses(v=4).map(lambda v4: IPv6Address(NAT64 | int(v4))),
    st.ip_addresses(v=4).map(lambda v4: IPv6Address(SIX_TO_FOUR | int(v4) << 80)),
    st.sampled_from([ip_address(text) for text in INSIDE]),
)


@pytest.mark.parametrize("text", INSIDE)
def test_what_is_no_public_address_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        AllowedAddresses(["cms.example.com"], key="sources.shop").among(
            "cms.example.com", [ip_address(text)]
        )
    message = str(caught.value)
    assert caught.value.code == "private_address"
    assert f"host 'cms.example.com' is at {plain(ip_address(text))}, " in message
    way_out = network(message.rpartition(" ")[2])
    assert "list it in sources.shop.allowed_networks, like " in message
    assert AllowedAddresses([], [way_out]).allow("x", ip_address(text))


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8"],
)
def test_public_addresses_need_no_listing(text: str) -> None:
    assert AllowedAddresses().allow("cms.example.com", ip_address(text))


def embedded(address: Address) -> Address:
    """The IPv4 address in an IPv6 one, worked out anew from its bits."""
    bits = int(address)
    if isinstance(address, IPv4Address):
        return address
    if bits >> 32 in (0xFFFF, NAT64 >> 32):
        return IPv4Address(bits & 0xFFFFFFFF)
    if bits >> 112 == 0x2002:
        return IPv4Address(bits >> 80 & 0xFFFFFFFF)
    return address


@given(addresses)
def test_no_address_that_is_not_global_is_ever_allowed_unlisted(address: Address) -> None:
    carried = embedded(address)
    allowed = AllowedAddresses(["cms.example.com", "localhost", "127.0.0.1", "10.1.2.3"])
    if allowed.allow("cms.example.com", address):
        assert address.is_global or carried != address
        assert carried.is_global
        assert not (carried.is_multicast or carried.is_loopback or carried.is_link_local)
        assert is_public(address)


@given(addresses, addresses)
def test_a_listed_network_opens_itself_and_nothing_else(inside: Address, other: Address) -> None:
    listed = ip_network(embedded(inside) if embedded(inside).version == 4 else inside)
    allowed = AllowedAddresses([], [str(listed)])
    if allowed.allow("cms.internal", other) and not is_public(other):
        assert plain(other) in listed


def test_a_host_that_is_an_address_lists_itself_for_itself_only() -> None:
    hosts = ["127.0.0.1", "10.0.0.5", "::1", "cdn.example.com"]
    allowed = AllowedAddresses(hosts)
    for host in hosts[:3]:
        assert allowed.allow(host, ip_address(host))
    assert allowed.allow("10.0.0.5", ip_address("::ffff:10.0.0.5"))
    for host, address in (
        ("cdn.example.com", "127.0.0.1"),  # a name that leads there is not meant
        ("10.0.0.5", "10.0.0.6"),
        ("127.0.0.1", "127.0.0.2"),
        ("10.0.0.6", "10.0.0.6"),  # not listed at all
        ("localhost", "127.0.0.1"),
    ):
        assert not allowed.allow(host, ip_address(address))


def test_localhost_is_the_loopback_and_nothing_else() -> None:
    allowed = AllowedAddresses(["localhost"])
    for address in ("127.0.0.1", "127.0.1.1", "::1"):
        assert allowed.allow("localhost", ip_address(address))
    for address in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "::"):
        assert not allowed.allow("localhost", ip_address(address))
    assert not allowed.allow("other.localhost", ip_address("127.0.0.1"))


def test_only_the_allowed_ones_of_several_addresses_are_used() -> None:
    found = [ip_address(text) for text in ("10.0.0.1", "8.8.8.8", "::1", "1.1.1.1")]
    assert AllowedAddresses().among("cdn.example.com", found) == [found[1], found[3]]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1."])
def test_other_ways_to_write_an_address_list_nothing(host: str) -> None:
    assert literal_address(host) is None
    assert not AllowedAddresses([host]).allow(host, ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10.0.0.5/8", "did you mean 10.0.0.0/8?"),
        ("cms.internal", "a host's name goes into allowed_hosts"),
        ("10.0.0.0/33", "a host's name goes"),
        ("", "a host's name goes"),
    ],
)
def test_what_is_no_network_is_refused_in_words(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="it must be a network like 10.0.0.0/8") as caught:
        CmsConnection(base_url="https://x", allowed_networks=(text,))
    assert hint in str(caught.value)


def test_networks_are_kept_as_they_are_usually_written() -> None:
    connection = CmsConnection(base_url="https://x", allowed_networks=(" 10.0.0.5", "FD00::/8"))
    assert connection.allowed_networks == ("10.0.0.5/32", "fd00::/8")
    assert connection.addresses.allow("x", ip_address("fd00::7"))
