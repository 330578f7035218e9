"""Which addresses are of the open internet."""

import pytest

from leitstand.outgoing.addresses import is_listed, is_public, listed_networks

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:4136:e378::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_and_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_listed_networks_hold_for_both_ways_of_writing() -> None:
    listed = listed_networks("10.1.0.0/16 fd00::/8 127.0.0.1")
    assert all(is_listed(one, listed) for one in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::5", "127.0.0.1"))
    assert not any(is_listed(one, listed) for one in ("10.2.0.1", "127.0.0.2", "::1"))
