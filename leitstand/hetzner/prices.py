"""What an environment costs a month, by the prices that the API gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from leitstand.hetzner.cloud import Cloud
from leitstand.hetzner.description import Environment

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One thing's price a month, without and with VAT; None where the API has no price for it."""

    title: str
    name: str
    net: Decimal | None
    gross: Decimal | None

    def to_dict(self) -> dict[str, object]:
        """As JSON; prices as text, for they are decimal."""
        net, gross = (None if each is None else str(each.quantize(CENT)) for each in (self.net, self.gross))
        return {"kind": self.title, "name": self.name, "net": net, "gross": gross}


@dataclass(frozen=True)
class Cost:
    """All lines; `complete` says whether each has a price. Traffic beyond what is included is not in it."""

    currency: str
    vat_percent: Decimal
    lines: tuple[Line, ...]

    @property
    def net(self) -> Decimal:
        """The sum a month without VAT."""
        return sum((line.net for line in self.lines if line.net is not None), Decimal(0)).quantize(CENT)

    @property
    def gross(self) -> Decimal:
        """The sum a month with VAT."""
        return sum((line.gross for line in self.lines if line.gross is not None), Decimal(0)).quantize(CENT)

    @property
    def complete(self) -> bool:
        """Whether nothing is without a price."""
        return all(line.net is not None for line in self.lines)

    def to_dict(self) -> dict[str, object]:
        """As JSON."""
        return {
            "currency": self.currency,
            "vat_percent": str(self.vat_percent),
            "net": str(self.net),
            "gross": str(self.gross),
            "complete": self.complete,
            "lines": [line.to_dict() for line in self.lines],
        }


type Pair = tuple[Decimal | None, Decimal | None]
NO_PRICE: Pair = (None, None)


def cost_of(environment: Environment, cloud: Cloud) -> Cost:
    """The month of all that is described, whether it is there already or not."""
    prices = cloud.patiently(lambda: cloud.client.request("GET", "/pricing"))["pricing"]
    return Cost(
        prices["currency"], Decimal(prices["vat_rate"]).quantize(CENT), tuple(_lines(environment, prices))
    )


def _lines(environment: Environment, prices: dict[str, Any]) -> Iterator[Line]:
    place = environment.location
    for server in environment.servers:
        pair = _by_name(prices["server_types"], "name", server.type, place)
        yield Line("server", server.name, *pair)
        if server.backups:
            share = Decimal(prices["server_backup"]["percentage"]) / 100
            yield Line("server backups", server.name, *_times(pair, share))
    gigabyte = _pair(prices["volume"]["price_per_gb_month"])
    for volume in environment.volumes:
        yield Line("volume", volume.name, *_times(gigabyte, Decimal(volume.size_gb)))
    for address in environment.primary_ips:
        yield Line("primary IP", address.name, *_by_name(prices["primary_ips"], "type", address.type, place))
    for bucket in environment.buckets:
        yield Line("bucket", bucket.name, *NO_PRICE)


def _by_name(entries: list[dict[str, Any]], key: str, name: str, place: str) -> Pair:
    for entry in entries:
        if entry[key] == name:
            for price in entry["prices"]:
                if price["location"] == place:
                    return _pair(price["price_monthly"])
    return NO_PRICE


def _pair(price: dict[str, str]) -> Pair:
    return Decimal(price["net"]), Decimal(price["gross"])


def _times(pair: Pair, factor: Decimal) -> Pair:
    net, gross = pair
    return (None, None) if net is None or gross is None else (net * factor, gross * factor)
