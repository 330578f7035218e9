"""Which reports there are, how often they come, and who may read them."""

from dataclasses import dataclass

from leitstand.errors import NotFound
from leitstand.identity.access import Principal
from leitstand.reports.periods import MONTH, WEEK, Cadence
from leitstand.runbooks.library import Notebook
from leitstand.settings import Settings
from leitstand.words import msg

FOLDER = "reports"


@dataclass(frozen=True)
class Kind:
    """A report.

    Args:
        name: what commands call it; also its notebook's file name.
        cadence: "week" or "month".
        permission: what a person needs to read, make or get it.
        audience: whom it is for, in words.
        purpose: what it answers, one sentence.
    """

    name: str
    title: str
    cadence: Cadence
    permission: str
    audience: str
    purpose: str

    @property
    def comes(self) -> str:
        """How often it comes: "weekly" or "monthly"."""
        return f"{self.cadence}ly"


WEEKLY = Kind(
    "weekly-insights", "Weekly insights", WEEK, "insights:read", "everybody who may open insights",
    "How companions were used in a week, beside the week before, and what needs attention first.",
)  # fmt: skip
MONTHLY = Kind(
    "monthly-operations", "Monthly operations", MONTH, "operations:read", "everybody who may see operations",
    "Restores proven, backups, checks and schedules of a month, held against what is promised.",
)  # fmt: skip
KINDS = (WEEKLY, MONTHLY)
BY_NAME = {kind.name: kind for kind in KINDS}


def find(name: str) -> Kind:
    """The report of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in BY_NAME:
        raise NotFound(
            msg("There is no report {name!r}.", name=name),
            hint=msg("Reports are: {by_name}.", by_name=", ".join(BY_NAME)),
        )
    return BY_NAME[name]


def readable(principal: Principal) -> list[Kind]:
    """The reports that the principal may read."""
    return [kind for kind in KINDS if principal.may(kind.permission)]


def notebook_of(settings: Settings, kind: Kind) -> Notebook:
    """Its notebook.

    Raises:
        NotFound: the file is missing.
    """
    path = settings.notebooks_dir / FOLDER / f"{kind.name}.ipynb"
    if not path.is_file():
        raise NotFound(
            msg("The notebook of the report {name} is missing.", name=kind.name),
            hint="Check LEITSTAND_NOTEBOOKS_DIR.",
        )
    return Notebook("", kind.name, kind.title, path)
