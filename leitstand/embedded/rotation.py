"""Rotate the secrets of an environment: planned, resumable at any step, proven, and backed up at the end.

The order for everything that is rotated: keep the new values in a journal, have them accepted, write the files, start
the services again, retire the old values, forget the journal. Killed before the files are written, everything goes on
with the old values; after that, with the new ones; a run that finds a journal finishes it with the values in it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from leitstand.embedded import programs, restarting, rotation_journal, rotation_proof, rotation_record
from leitstand.embedded.environment import Environment
from leitstand.embedded.rotation_journal import Values
from leitstand.embedded.rotation_proof import Proof
from leitstand.embedded.rotation_units import BY_NAME, UNITS, Unit, pair_fits, password_fits
from leitstand.errors import Conflict, InvalidInput, PreconditionFailed
from leitstand.words import msg

if TYPE_CHECKING:
    from leitstand.backups.work import Progress

ROTATE, FINISH, ELSEWHERE = "rotate", "finish what was begun", "not here"
DATABASE, OBJECTS = "database", "objects"


@dataclass(frozen=True)
class Step:
    """What is done with one unit: rotate, finish what was begun, or not here (and why)."""

    name: str
    title: str
    what: str
    effect: str


@dataclass(frozen=True)
class Plan:
    """A rotation before it is done; the hash changes with the plan and with every value that it replaces.

    Args:
        target: name of the environment, to be typed.
        restarted: services that are started again, where they run.
    """

    target: str
    data_dir: str
    leaked: bool
    steps: tuple[Step, ...]
    restarted: tuple[str, ...]
    sha256: str

    @property
    def names(self) -> list[str]:
        """The units that are rotated or finished."""
        return [step.name for step in self.steps if step.what != ELSEWHERE]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def plan(environment: Environment, names: Sequence[str] = (), *, leaked: bool = False) -> Plan:
    """What a rotation would do; what was begun earlier is always finished first.

    Args:
        names: of units; none means all.
        leaked: the old values are known to others: nothing accepts them any more.

    Raises:
        InvalidInput: there is no such unit.
    """
    unknown = sorted(set(names) - set(BY_NAME))
    if unknown:
        raise InvalidInput(
            msg("There is nothing to rotate called {unknown!r}.", unknown=unknown[0]),
            hint=msg("Known: {names}.", names=", ".join(BY_NAME)),
        )
    settings, begun = programs.settings_of(environment), rotation_journal.pending(environment)
    wanted = [unit for unit in UNITS if unit.name in {*names, *begun} or not names]
    steps = tuple(_step(unit, unit.elsewhere(settings), unit.name in begun) for unit in wanted)
    affected = [BY_NAME[step.name] for step in steps if step.what != ELSEWHERE]
    services = restarting.in_order({service.name for unit in affected for service in unit.services})
    known = [[asdict(step) for step in steps], leaked, _marks(environment, [unit.name for unit in affected])]
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    return Plan(settings.environment, str(environment.data_dir), leaked, steps, tuple(services), digest)


def _step(unit: Unit, elsewhere: str, begun: bool) -> Step:
    if elsewhere:
        return Step(unit.name, unit.title, ELSEWHERE, elsewhere)
    return Step(unit.name, unit.title, FINISH if begun else ROTATE, unit.effect)


def _marks(environment: Environment, names: list[str]) -> dict[str, str]:
    """The fingerprints of what is replaced, so that a plan made before a change is another plan."""
    from leitstand.backups.secret_backups import current_fingerprints

    settings = programs.settings_of(environment)
    current = current_fingerprints(settings)
    files = [f"secrets/leitstand_{setting}" for name in names for setting in BY_NAME[name].settings]
    return {name: current[name] for name in files if name in current}


def rotate(environment: Environment, agreed: Plan, *, progress: "Progress") -> None:
    """Do what the plan says; killed at any moment, the next run goes on where it stopped.

    Args:
        agreed: the plan that was shown and confirmed.

    Raises:
        Conflict: something has changed since, or `up` or `down` is at work.
        PreconditionFailed, Unavailable: a service refuses or does not come back; run it again when that is mended.
    """
    with environment.exclusive():
        if plan(environment, agreed.names, leaked=agreed.leaked).sha256 != agreed.sha256:
            raise Conflict("The secrets have changed since this plan was made.", hint="Make the plan again.")
        units = [BY_NAME[name] for name in agreed.names]
        begun = rotation_journal.pending(environment)
        for unit in units:
            progress(unit.title)
            switch(environment, unit, begun.get(unit.name), leaked=agreed.leaked)
        refresh_archiver(environment)
        restarting.restart(environment, agreed.restarted, progress)
        journals = rotation_journal.pending(environment)
        for unit in units:
            progress(f"retiring the old: {unit.name}")
            unit.retire(environment, journals[unit.name])
            rotation_journal.drop(environment, unit.name)


@dataclass(frozen=True)
class Done:
    """A rotation that was carried out: what was proven, and the backup of the new secrets (empty: nothing changed)."""

    proofs: tuple[Proof, ...]
    backup_id: str

    @property
    def ok(self) -> bool:
        """Whether every old value that should be refused is, and every new one works."""
        return all(proof.ok for proof in self.proofs)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"ok": self.ok, **asdict(self)}


def carry_out(environment: Environment, agreed: Plan, *, actor: str, progress: "Progress") -> Done:
    """Rotate, prove it, note it in the audit log and back up the new secrets.

    Raises:
        LeitstandError: as `rotate`; also when the backup fails, after the rotation is done.
    """
    check_ready(environment, agreed)
    before = rotation_proof.values_of(environment)
    rotate(environment, agreed, progress=progress)
    progress("trying old and new")
    proofs = tuple(rotation_proof.prove(environment, agreed.names, before))
    rotation_record.record(environment, agreed.names, actor=actor, leaked=agreed.leaked, proofs=proofs)
    progress("backing up the new secrets")
    return Done(proofs, rotation_record.back_up(environment))


def switch(environment: Environment, unit: Unit, values: Values | None, *, leaked: bool = False) -> None:
    """Keep new values, have them accepted, and write the files; `values` are those of a run that was killed."""
    if values is None:
        values = unit.make(environment, leaked)
        rotation_journal.write(environment, unit.name, values)
    unit.accept(environment, values)
    rotation_journal.adopt(environment, values)


def refresh_archiver(environment: Environment) -> None:
    """What PostgreSQL's archive command reads: the store's credential and the recipients. It is read at each segment."""
    from leitstand.backups.engines.registry import chosen

    settings = programs.settings_of(environment)
    chosen(settings).archive_command(settings)


def settle(environment: Environment, *, database: bool) -> list[str]:
    """At a start: take up what a killed rotation left; gives the names of what was.

    Args:
        database: the part that needs PostgreSQL up; else all the others, before anything runs.
    """
    settled = []
    for name, values in rotation_journal.pending(environment).items():
        if (name == DATABASE) == database and name in BY_NAME:
            if database:
                BY_NAME[name].accept(environment, values)
            rotation_journal.adopt(environment, values)
            rotation_journal.drop(environment, name)
            settled.append(name)
    return settled


def check_ready(environment: Environment, agreed: Plan) -> None:
    """Whether the services that a rotation speaks to answer.

    Raises:
        PreconditionFailed: one does not.
    """
    if DATABASE in agreed.names:
        _check_database(environment)
    if OBJECTS in agreed.names:
        _check_objects(environment)


def _check_database(environment: Environment) -> None:
    begun = rotation_journal.pending(environment).get(DATABASE, {})
    known = [environment.secret("database_password"), *begun.values()]
    if not any(password_fits(environment, password) for password in known):
        raise PreconditionFailed(
            "The database takes no password that is known here.",
            hint="Restore the secrets of a backup first: leitstand secrets restore.",
        )


def _check_objects(environment: Environment) -> None:
    pair = environment.secret("s3_access_key"), environment.secret("s3_secret_key")
    if OBJECTS not in rotation_journal.pending(environment) and not pair_fits(environment, *pair):
        raise PreconditionFailed(
            "The object store refuses the credential that is in use.",
            hint="Restart the environment (./run down, ./run up), which gives the store the credential of the files.",
        )
