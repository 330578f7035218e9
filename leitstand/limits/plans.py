"""Plans as data: what each costs and what it has room for."""

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from leitstand.errors import NotFound, PreconditionFailed
from leitstand.settings import get_settings
from leitstand.words import msg, translate


class Limits(BaseModel):
    """What a plan has room for; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: int | None = Field(None, ge=0)
    items: int | None = Field(None, ge=0)
    published_companions: int | None = Field(None, ge=0)
    spaces: int | None = Field(None, ge=0)
    events_a_month: int | None = Field(None, ge=0)
    storage_bytes: int | None = Field(None, ge=0)
    model_tokens_a_month: int | None = Field(None, ge=0)

    def of(self, what: str) -> int | None:
        """The limit of one of `KINDS`."""
        found: int | None = getattr(self, what)
        return found


KINDS = tuple(Limits.model_fields)


class PlanWords(BaseModel):
    """What a plan is called in another language; what is empty stays as the plan says it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field("", max_length=80)
    description: str = Field("", max_length=400)


class Plan(BaseModel):
    """One plan.

    Args:
        name: short name, kept with workspaces and never changed.
        price_cents: a month, in cents of `currency`, taxes included.
        currency: ISO 4217, in capitals.
        translations: title and description by language, as "de".
        stripe_price: id of the recurring price in the Stripe account; empty: it can't be paid there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    title: str = Field(min_length=1, max_length=80)
    description: str = Field("", max_length=400)
    price_cents: int = Field(0, ge=0)
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    limits: Limits = Limits()
    stripe_price: str = ""
    translations: dict[str, PlanWords] = {}

    def titled(self, language: str) -> str:
        """Its title for a reader of that language."""
        return self._words(language).title or translate(self.title, language)

    def described(self, language: str) -> str:
        """Its description for a reader of that language."""
        return self._words(language).description or translate(self.description, language)

    def _words(self, language: str) -> PlanWords:
        return self.translations.get(language) or PlanWords()


class Plans(BaseModel):
    """The file: the first plan is the one on which workspaces begin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plans: tuple[Plan, ...] = Field(min_length=1)

    @field_validator("plans")
    @classmethod
    def _names_differ(cls, plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
        for values in ([p.name for p in plans], [p.stripe_price for p in plans if p.stripe_price]):
            if len(set(values)) != len(values):
                raise ValueError("two plans have the same name or the same price at Stripe")
        return plans

    @property
    def first(self) -> Plan:
        """The plan of a workspace that chose none."""
        return self.plans[0]

    def named(self, name: str) -> Plan:
        """The plan of that name.

        Raises:
            NotFound: there is none.
        """
        for plan in self.plans:
            if plan.name == name:
                return plan
        raise NotFound(
            msg("There is no plan {name!r}.", name=name[:40]),
            hint=msg("Plans are: {name}.", name=", ".join(plan.name for plan in self.plans)),
        )

    def of_price(self, price: str) -> Plan | None:
        """The plan that has this price at Stripe."""
        return next((plan for plan in self.plans if price and plan.stripe_price == price), None)


def load_plans() -> Plans:
    """The plans of the setting `plans_file`; the file is read again when it has changed.

    Raises:
        PreconditionFailed: it can't be read, or it is not in order.
    """
    path = get_settings().plans_file
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise PreconditionFailed(
            msg("The file of plans {path} can't be read: {strerror}.", path=path, strerror=error.strerror),
            hint="See LEITSTAND_PLANS_FILE; leave it out for the one plan without limits.",
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PreconditionFailed(
            msg(
                "The file of plans {path} is not in order: {where}: {first}.",
                path=path,
                where=where,
                first=first["msg"],
            ),
            hint="docs/guide/billing.md says what a plan has.",
        ) from None


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Plans:
    return Plans.model_validate_json(path.read_bytes())
