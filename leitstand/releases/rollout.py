"""A release from its plan to its end: on, back by itself where a step fails, and on from its journal after a kill."""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from leitstand.errors import Conflict, LeitstandError, NotFound
from leitstand.releases import journal as journals
from leitstand.releases import lease, passes, steps
from leitstand.releases.current import Current, current, serving_now
from leitstand.releases.host import BLUE, Host, other
from leitstand.releases.images import image
from leitstand.releases.journal import Journal
from leitstand.releases.site import Site
from leitstand.words import N_, msg, words_of

Tell = Callable[[str], None]


class Cancelled(LeitstandError):
    """Somebody has asked the release to end."""

    status, title, kind = 503, "Cancelled", "cancelled"


def start(
    site: Site,
    host: Host,
    wanted: str,
    *,
    by: str,
    tell: Tell,
    accept: tuple[str, ...] = (),
    passed: str = "",
) -> Journal:
    """Release an image, to its end.

    Args:
        wanted: the image by its digest.
        by: who, in words.
        accept: names of refusals that they take upon themselves.
        passed: pass of staging (`passes.issue`); empty: there is none.

    Raises:
        Conflict: another release is under way or unfinished, or the image serves already.
        Forbidden: the pass is not staging's, or is for another image.
    """
    image(wanted)
    proof = passes.verified(passed, site.staging_key, wanted) if passed else {}
    with _Held(site, by) as held:
        serving = _nothing_unfinished(site, host)
        if serving and serving.image == wanted:
            raise Conflict(
                msg("{image} serves already.", image=wanted), hint=N_("There is nothing to release.")
            )
        plan = _plan(serving, wanted, by=by, kind="release", todo=steps.RELEASE)
        made = journals.begin(site.releases, {**plan, "accepted": list(accept), "passed": proof})
        return _Run(site, host, made, held, tell).to_its_end()


def rollback(site: Site, host: Host, *, by: str, tell: Tell) -> Journal:
    """Bring back what served before; the way back of a release that is unfinished.

    Raises:
        Conflict: another one is under way, or a migration has contracted the schema since.
        NotFound: nothing served before.
    """
    with _Held(site, by) as held:
        if found := journals.unfinished(site.releases):
            if found.direction == journals.FORWARD:
                found.write(journals.TURNED, why=f"rolled back by {by}")
            return _Run(site, host, found, held, tell).to_its_end()
        serving = current(site.releases)
        if serving is None or not serving.previous:
            raise NotFound(
                N_("Nothing served here before."), hint="`leitstand release history` shows what did."
            )
        if not serving.back:
            raise Conflict(
                N_("The schema was contracted: the image that served before can't live with it."),
                hint=N_("Release a mended image; or restore the database to before that."),
            )
        plan = _plan(serving, serving.previous, by=by, kind="rollback", todo=steps.ROLLBACK)
        made = journals.begin(site.releases, {**plan, "accepted": [], "passed": {}})
        return _Run(site, host, made, held, tell).to_its_end()


def resume(site: Site, host: Host, *, by: str, tell: Tell) -> Journal | None:
    """Take up the release that was left unfinished, in the direction in which it went; None: there is none.

    Raises:
        Conflict: it is still under way.
    """
    with _Held(site, by) as held:
        found = journals.unfinished(site.releases)
        if found is None:
            return None
        found.write(journals.RESUMED, by=by)
        return _Run(site, host, found, held, tell).to_its_end()


def _nothing_unfinished(site: Site, host: Host) -> Current | None:
    found = journals.unfinished(site.releases)
    if found:
        raise Conflict(
            msg("Release {id} is unfinished, at {step}.", id=found.id, step=found.at_step or "its beginning"),
            hint=N_(
                "`leitstand release resume` goes on with it, `leitstand release rollback` takes it back."
            ),
        )
    return serving_now(site, host)


def _plan(
    serving: Current | None, wanted: str, *, by: str, kind: str, todo: tuple[str, ...]
) -> dict[str, object]:
    return {
        "kind": kind,
        "image": wanted,
        "colour": other(serving.colour) if serving else BLUE,
        "before": serving.image if serving else "",
        "was": asdict(serving) if serving else None,
        "by": by,
        "steps": list(todo),
    }


class _Held:
    """The lock for the time of a release."""

    def __init__(self, site: Site, owner: str) -> None:
        self.site, self.owner = site, owner

    def __enter__(self) -> lease.Lease:
        self.lease = lease.take(self.site.releases, self.owner)
        return self.lease

    def __exit__(self, *_: object) -> None:
        self.lease.give_back()


class _Run:
    """One process at work on a release."""

    def __init__(self, site: Site, host: Host, found: Journal, held: lease.Lease, tell: Tell) -> None:
        self.site, self.journal, self.lease, self.tell = site, found, held, tell
        self.work = steps.Work(site, host, found, tell)

    def to_its_end(self) -> Journal:
        """Do what is left of it.

        Raises:
            LeitstandError: a step of the way back fails: it stays unfinished, and `resume` tries again.
        """
        if self.journal.direction == journals.FORWARD:
            try:
                self._all(tuple(self.journal.plan["steps"]))
            except Exception as error:
                # What serves is written down: there is only the rest to be cleared away.
                if self.journal.touched("finish"):
                    self._note(error)
                    raise
                self._turn(error)
            else:
                self._end(journals.FINISHED)
                return self.journal
        return self._back()

    def _turn(self, error: Exception) -> None:
        """The way on has failed."""
        self.lease.renew(lease.FIRST_SECONDS)
        why = words_of(error) if isinstance(error, LeitstandError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, LeitstandError) else ""
        self.journal.write(journals.TURNED, why=why, hint=hint, step=self.journal.at_step)
        self.tell(f"{self.journal.at_step} failed: {why}")

    def _note(self, error: Exception) -> None:
        self.journal.write(journals.FAILED, step=self.journal.at_step, why=words_of(error))

    def _back(self) -> Journal:
        if not any(self.journal.touched(step) for step in steps.CHANGING):
            self._end(journals.REFUSED)
            return self.journal
        try:
            self._all(steps.BACK)
        except Exception as error:
            self._note(error)
            raise
        self._end(journals.ROLLED_BACK)
        return self.journal

    def _all(self, names: tuple[str, ...]) -> None:
        for name in names:
            if name not in self.journal.done():
                self._one(steps.STEPS[name])

    def _one(self, step: steps.Step) -> None:
        self.lease.renew(step.seconds(self.site))
        way, began = self.journal.direction, time.monotonic()
        self.journal.write(journals.BEGAN, step=step.name, way=way)
        self.tell(f"{step.name} …")
        evidence = step.does(self.work)
        seconds = round(time.monotonic() - began, 2)
        self.lease.renew(lease.FIRST_SECONDS)
        self.journal.write(journals.DONE, step=step.name, way=way, seconds=seconds, evidence=evidence)
        self.tell(f"{step.name} done in {seconds} s")

    def _end(self, outcome: str) -> None:
        self.journal.write(journals.ENDED, outcome=outcome, at_unix=datetime.now(UTC).timestamp())
        self.tell(outcome)
