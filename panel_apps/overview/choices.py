"""What a person can choose at the top of the overview."""

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import available_timezones

from panel_apps.overview.ranges import PRESETS
from panel_apps.overview.store import ALL, OverviewStore

# Areas of the IANA database with zones where people live.
AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@dataclass(frozen=True)
class Choices:
    """The options of each choice and what is chosen.

    Args:
        ranges: title by preset.
        zones: IANA zones by area; the first group holds the workspace's and UTC.
        companions: name by id.
        range: the chosen preset, or empty for days of one's own.
        zone: the chosen zone.
        companion: id of the chosen companion, or `all`.
        comparing: whether the period before is shown beside.
    """

    ranges: dict[str, str]
    zones: dict[str, tuple[str, ...]]
    companions: dict[str, str]
    range: str
    zone: str
    companion: str
    comparing: bool


def choices(store: OverviewStore) -> Choices:
    """The choices of a store after its first load."""
    own = store.visitor.principal.zone
    named = store.companions()
    if store.companion != ALL and store.companion not in named:
        named = {store.companion: store.companion, **named}
    return Choices(
        ranges=PRESETS,
        zones={"Often": tuple(dict.fromkeys([store.zone, own, "UTC"])), **zones_by_area()},
        companions=named,
        range=store.range if store.range in PRESETS else "",
        zone=store.zone,
        companion=store.companion,
        comparing=store.comparing,
    )


@lru_cache(maxsize=1)
def zones_by_area() -> dict[str, tuple[str, ...]]:
    """Every zone named after a place, by area."""
    placed = sorted(
        zone for zone in available_timezones() if zone.startswith(tuple(f"{area}/" for area in AREAS))
    )
    return {area: tuple(zone for zone in placed if zone.startswith(f"{area}/")) for area in AREAS}
