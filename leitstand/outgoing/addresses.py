"""Which network addresses our requests may go to: public ones, and private ones that the settings list."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Addresses that carry an IPv4 address in their last four bytes: a translator would hand the request on to it.
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def listed_networks(text: str) -> tuple[Network, ...]:
    """The networks of the setting `outgoing_private_addresses_allowed`."""
    return tuple(ip_network(one) for one in text.split())


def is_listed(text: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    address = plain(text)
    return any(address.version == network.version and address in network for network in networks)


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet; those within others (mapped, translated, tunnelled) count too."""
    address = plain(text)
    if address.is_multicast or address.is_unspecified or address.is_reserved or not address.is_global:
        return False
    return not (isinstance(address, IPv6Address) and (address.teredo or address.sixtofour))


def plain(text: str) -> Address:
    """An address without its zone; an IPv4 address that is written as IPv6 is that IPv4 address.

    Raises:
        ValueError: it is no address.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if any(address in network for network in TRANSLATED):
            return IPv4Address(address.packed[-4:])
    return address
