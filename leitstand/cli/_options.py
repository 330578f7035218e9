"""What several commands share: options that take several values, days, and the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import click
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from leitstand.db.engine import make_engine
from leitstand.errors import Unavailable
from leitstand.settings import get_settings

MINUTES_20_MS = 20 * 60 * 1000


class SeveralValues(click.Command):
    """A command whose repeatable options may also be followed by several values: `--step A B C`.

    As long as the command's own argument is missing, such an option takes one value only, so that
    `--complete DONE FILE` means what it says.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._spread(args))

    def _spread(self, args: list[str]) -> list[str]:
        """`--step A B` as `--step A --step B`."""
        spread: list[str] = []
        option, taken, value_due = "", 0, False
        arguments = sum(isinstance(param, click.Argument) for param in self.params)
        for place, word in enumerate(args):
            if word == "--" and not value_due:
                return spread + args[place:]
            if value_due:
                value_due = False
            elif word.startswith("-") and word != "-":
                name, _, value = word.partition("=")
                option, taken = name if name in self._names(multiple=True) else "", bool(value)
                value_due = word in self._names(multiple=False)
            elif option and taken and not arguments:
                spread.append(option)
            elif option and not taken:
                taken = True
            else:
                option, arguments = "", arguments - 1
            spread.append(word)
        return spread

    def _names(self, *, multiple: bool) -> set[str]:
        options = [param for param in self.params if isinstance(param, click.Option) and not param.is_flag]
        return {name for param in options if param.multiple == multiple for name in param.opts}


class Day(click.ParamType[date]):
    """A calendar day, as 2026-11-23."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a day; write it as 2026-11-23", param, ctx)


@contextmanager
def database(*, statement_timeout_ms: int = MINUTES_20_MS) -> Iterator[Engine]:
    """An engine for one command; says the way out where the database does not answer."""
    engine = make_engine(
        get_settings(), statement_timeout_ms=statement_timeout_ms, application="leitstand-command"
    )
    try:
        yield engine
    except OperationalError as error:
        if error.connection_invalidated or "connect" in str(error.orig):
            raise Unavailable(
                "The database does not answer.",
                hint="`./run status` shows the services; `./run up` starts them.",
            ) from error
        raise
    finally:
        engine.dispose()
