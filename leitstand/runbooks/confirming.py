"""What every runbook that changes something has in common: a plan with its hash, a dry run, and a typed confirmation.

The hash is of what there will be done, so that the plan which is carried out is the one that a person read. The name of
the target is typed, or given by `--yes NAME`; it is no parameter, so that no kept list of parameters starts a real run.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from leitstand.errors import InvalidInput, PreconditionFailed
from leitstand.runbooks.ending import Evidenced
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import TakenUp
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

DECISION = ("dry_run", "plan_sha256", "decided_by")


@dataclass(frozen=True)
class Step:
    """One thing that a plan does.

    Args:
        what: as `terminate` or `drop index`.
        on: to what, so exactly that nothing else can be hit.
        effect: what people notice.
    """

    what: str
    on: str
    effect: str = ""


@dataclass(frozen=True)
class Plan:
    """What a runbook would do, in order.

    Args:
        target: the name that is typed to have it done.
        basis: what else makes it another plan, as the backup that is restored.
    """

    target: str
    steps: tuple[Step, ...]
    basis: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of all of it."""
        return digest(asdict(self))

    def of(self, what: str) -> list[str]:
        """What the steps called `what` are done to."""
        return [step.on for step in self.steps if step.what == what]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "plan_sha256": self.sha256}


def digest(plan: object) -> str:
    """SHA-256 of a plan's JSON values, whatever the order of their names."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True, default=str).encode()).hexdigest()


def require_choice(chosen: Mapping[str, list[str]], *, dry_run: bool) -> None:
    """Refuse a real run that names nothing to do.

    Raises:
        InvalidInput: it does.
    """
    if not dry_run and not any(chosen.values()):
        raise InvalidInput(
            "A run that is no dry run needs to know what to do.",
            hint="Take the command that the dry run ends with.",
        )


def require_confirmed(work: TakenUp, *, target: str, sha256: str, plan_sha256: str, decided_by: str) -> None:
    """Refuse unless the plan is the one that was read, somebody decided, and the target's name was typed.

    Args:
        sha256: of the plan as it is now; plan_sha256: of the one that was read.

    Raises:
        PreconditionFailed: one of them is not so.
    """
    if not sha256 or plan_sha256 != sha256:
        raise PreconditionFailed(
            msg(
                "The plan is {sha256}, not {plan_sha256}.",
                sha256=sha256 or "not made yet",
                plan_sha256=plan_sha256 or "confirmed",
            ),
            hint="Make a dry run with these parameters, read it and give its plan_sha256.",
        )
    if not decided_by.strip():
        raise PreconditionFailed("Nobody is named who decided.", hint="Give decided_by.")
    if work.confirmed != target:
        raise PreconditionFailed(
            "The name of the target was not typed.",
            hint=msg("Start the runbook with `leitstand runbook run` and type {target}.", target=target),
        )


def real_parameters(given: dict[str, Any], sha256: str) -> dict[str, str]:
    """What the real run is given, as text; who decided is still to be named.

    Args:
        given: the parameters that the dry run had; empty ones are left out, but 0 is a value.
    """
    kept = {
        name: str(value).lower() if value is True else str(value)
        for name, value in given.items()
        if value != "" and value is not False and name not in DECISION
    }
    return {**kept, "dry_run": "false", "plan_sha256": sha256}


def real_run(name: str, given: dict[str, Any], *, target: str, sha256: str) -> str:
    """The command that a dry run ends with; `given` as for `real_parameters`."""
    import shlex

    words = ["leitstand", "runbook", "run", name]
    for parameter, value in real_parameters(given, sha256).items():
        words += ["-p", f"{parameter}={value}"]
    return f"{shlex.join(words)} -p decided_by=NAME; then type {target}"


class Confirmed(Evidenced):
    """A runbook that changes something: its steps do nothing before `confirm` has let them.

    Args:
        given: its parameters, for the command that a dry run ends with.
    """

    NAME: ClassVar[str]

    def __init__(self, work: TakenUp, evidence: Evidence, *, dry_run: bool, given: dict[str, Any]) -> None:
        self.work, self.evidence, self.dry_run, self.given = work, evidence, dry_run, given
        self.for_real = False
        self.target, self.sha256 = "", ""

    def show_plan(self, plan: Plan) -> "pd.DataFrame":
        """Keep the plan and its hash in the evidence, and give it as a table."""
        self.keep_plan(plan.target, plan.sha256, plan.to_dict())
        steps = [
            {"step": str(number), "what": step.what, "on": step.on, "effect": step.effect}
            for number, step in enumerate(plan.steps, 1)
        ]
        last = {"step": "", "what": "plan_sha256", "on": plan.sha256, "effect": f"target {plan.target}"}
        return rows([*(steps or [NOTHING]), last], ["step", "what", "on", "effect"])

    def keep_plan(self, target: str, sha256: str, said: dict[str, Any]) -> None:
        """What `confirm` compares with, kept in the evidence."""
        self.target, self.sha256 = target, sha256
        self.evidence.figures |= {"plan_sha256": sha256, "plan": said, "for_real": False}
        self.evidence.save()

    def confirm(self, *, plan_sha256: str, decided_by: str) -> "pd.DataFrame":
        """In a dry run the command for the real one; else refuses unless plan, decision and the typed name fit.

        Raises:
            PreconditionFailed: the plan is another one, nobody decided, the target's name was not typed, or an earlier
                check failed.
        """
        if self.dry_run:
            said = self.lacking()
            if not said:
                said = real_run(self.NAME, self.given, target=self.target, sha256=self.sha256)
                self.evidence.figures["real_parameters"] = real_parameters(self.given, self.sha256)
            self.evidence.figures["real_run"] = said
            self.evidence.save()
            return facts({"this is": "a dry run: nothing is changed", "for real": said})
        if self.failures:
            raise PreconditionFailed(
                msg("Something is not as it has to be: {failures}.", failures="; ".join(self.failures)),
                hint="Mend it, then make a dry run again.",
            )
        require_confirmed(
            self.work, target=self.target, sha256=self.sha256, plan_sha256=plan_sha256, decided_by=decided_by
        )
        self.for_real = True
        self.evidence.figures |= {"for_real": True, "decided_by": decided_by}
        self.evidence.check(
            "confirmed",
            True,
            msg("decided by {decided_by}, target {target} typed", decided_by=decided_by, target=self.target),
        )
        return self.last_check()

    def lacking(self) -> str:
        """What there has to be before anything can be done for real; empty: nothing more."""
        return "" if self.sha256 else "there is no plan: mend what failed above first"

    def last_check(self, count: int = 1) -> "pd.DataFrame":
        """The newest checks as a table."""
        return self.evidence.table(len(self.evidence.checks) - count)

    def finish(self) -> "pd.DataFrame":
        """Every check; gives back the lock."""
        return self.end()


NOTHING = {"step": "", "what": "nothing", "on": "there is nothing to do", "effect": ""}
NOT_DONE = {"done": "nothing: this is a dry run"}
