"""What a person can choose at the top of a dashboard of figures."""

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import available_timezones

from leitstand.words import N_
from panel_apps.ranges import PRESETS
from panel_apps.scoped import ALL, ANY, COMPARISONS, ChosenStore, ScopedStore
from panel_apps.speech import say, told

# Areas of the IANA database with zones where people live.
AREAS = (
    N_("Africa"), N_("America"), N_("Antarctica"), N_("Asia"), N_("Atlantic"), N_("Australia"), N_("Europe"),
    N_("Indian"), N_("Pacific"),
)  # fmt: skip


@dataclass(frozen=True)
class Choices:
    """The options of each choice and what is chosen.

    Args:
        ranges: title by preset.
        often: zones that are chosen often: the chosen one, the workspace's and UTC.
        zones: all IANA zones by area.
        companions: name by id; with `all` first where all of them can be chosen, empty where none can.
        tags: title by tag, the first for all of them; empty where nothing can be filtered by.
        comparisons: title by comparison.
        range: the chosen preset, or empty for days of one's own.
        zone, companion, tag, compare: the chosen ones.
        hidden: further choices of the dashboard, made in its parts, with what each is without one.
        own: these as they are chosen.
    """

    ranges: dict[str, str]
    often: tuple[str, ...]
    zones: dict[str, tuple[str, ...]]
    companions: dict[str, str]
    tags: dict[str, str]
    comparisons: dict[str, str]
    range: str
    zone: str
    companion: str
    tag: str
    compare: str
    hidden: dict[str, str]
    own: dict[str, str]


def choices(store: ScopedStore) -> Choices:
    """The choices of a store after its first load."""
    own = store.visitor.principal.zone
    named = store.companions()
    if store.companion != ALL and store.companion not in named:
        named = {store.companion: store.companion, **named}
    whole = {} if isinstance(store, ChosenStore) and named else {ALL: say("All companions")}
    further = [name for name in store.CHOICES if name not in ScopedStore.CHOICES]
    tags = store.tags() if "tag" in store.CHOICES else []
    return Choices(
        ranges={word: told(title) for word, title in PRESETS.items()},
        often=tuple(dict.fromkeys([store.zone, own, "UTC"])),
        zones={told(area): zones for area, zones in zones_by_area().items()},
        companions=whole | named if "companion" in store.CHOICES else {},
        tags={ANY: say("All tags"), **{tag: tag for tag in tags}} if tags else {},
        comparisons={word: told(title) for word, title in COMPARISONS.items()}
        if "compare" in store.CHOICES
        else {},
        range=store.range if store.range in PRESETS else "",
        zone=store.zone,
        companion=store.companion,
        tag=store.tag,
        compare=store.compare,
        hidden={name: str(store.param[name].default) for name in further},
        own={name: str(getattr(store, name)) for name in further},
    )


@lru_cache(maxsize=1)
def zones_by_area() -> dict[str, tuple[str, ...]]:
    """Every zone named after a place, by area."""
    placed = sorted(
        zone for zone in available_timezones() if zone.startswith(tuple(f"{area}/" for area in AREAS))
    )
    return {area: tuple(zone for zone in placed if zone.startswith(f"{area}/")) for area in AREAS}
