"""The steps of runbook rb030: secrets lost or leaked, everything replaced. A dry run unless it was confirmed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leitstand.backups import secret_copies, secret_files
from leitstand.backups.secret_backups import changed_since, inventory, newest_backup, recipients
from leitstand.embedded import rotation, rotation_journal, rotation_proof, rotation_record, switching
from leitstand.embedded.credentials import LASTING, NAMES
from leitstand.embedded.environment import Environment, locate
from leitstand.errors import PreconditionFailed
from leitstand.runbooks.confirming import NOT_DONE, Confirmed
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

ACTOR = "runbook rb030"
TELL = (
    (
        "the owners of every workspace",
        "what was replaced and when; it stands in their audit log as secrets.rotate",
    ),
    (
        "everybody who works here",
        "load open pages again; if it was leaked, links that end a subscription work only in mails from now on",
    ),
    (
        "who keeps the offline key",
        "where new backups are: the offline key opens them as before; a new key pair if that key itself was leaked",
    ),
    (
        "whoever is responsible for data protection",
        "if it was leaked: what could be read with it and since when; some laws give 72 hours",
    ),
)
LEFT = (
    (
        "given by others (mail server, an external store or database)",
        "change it there, then write its file in secrets/",
    ),
    (
        "API tokens and passwords of people",
        "these lie in the database as hashes; revoke those that were seen: leitstand token revoke",
    ),
    (
        "backups that a leaked backup key opens",
        "they stay readable to who has it: take new ones (leitstand backup run all), then delete the old when those are proven",
    ),
    (
        "a leaked offline key",
        "make a new one elsewhere and put its public key into keys/recipients.txt in place of the old",
    ),
)

STAYS = (
    "stays: what pgBackRest stored opens with it alone (where it is used and was leaked: docs/guide/operations.md says how to "
    "replace it, and its backups are taken anew)"
)


class RotateEverything(Confirmed):
    """One run. Its steps are called in order; each gives a table, never a value."""

    NAME = "secrets-lost-or-leaked"

    def __init__(
        self, work: TakenUp, environment: Environment, names: str, *, leaked: bool, dry_run: bool
    ) -> None:
        given = {"names": names, "leaked": "" if leaked else "false"}
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.environment, self.names, self.leaked = environment, names.split(), leaked
        self.plan_now: rotation.Plan | None = None
        self.before: rotation_proof.Values | None = None

    @classmethod
    def begin(
        cls, *, run_id: str = SANDBOX, names: str = "", leaked: bool = True, dry_run: bool = True
    ) -> "RotateEverything":
        """Take up the work.

        Args:
            names: what to rotate, separated by spaces; empty: everything.
            leaked: others know the old values: nothing accepts them any more.

        Raises:
            Conflict: a drill or another runbook is running.
        """
        work = take_up(run_id)
        environment = locate(work.settings.data_dir, work.settings.port)
        return cls(work, environment, names, leaked=leaked, dry_run=dry_run)

    def situation(self) -> "pd.DataFrame":
        """Which environment this is, and which secrets there are, without their values."""
        settings = self.work.settings
        found = inventory(self.work.engine, settings)
        here = {item.name for item in found}
        lost = secret_files.lacking(settings, {f"{secret_files.PREFIX}{name}" for name in here})
        self.evidence.check(
            "every needed secret is there",
            not lost,
            msg("missing: {names}", names=", ".join(lost) or msg("none")),
        )
        if others := sorted(set(NAMES) - here - {name.removeprefix(secret_files.PREFIX) for name in lost}):
            self.evidence.skip("not set in this environment", ", ".join(others))
        self.evidence.figures["secrets"] = [item.to_dict() for item in found]
        self.evidence.save()
        title = f"ENVIRONMENT {settings.environment}"
        head = [{"secret": title, "changed": "", "backed up": "", "lies in": str(settings.data_dir)}]
        table = [
            {
                "secret": one.name,
                "changed": one.changed_at[:19],
                "backed up": one.backed_up_at[:19] or "NO",
                "lies in": one.place,
            }
            for one in found
        ]
        return rows(head + table, ["secret", "changed", "backed up", "lies in"])

    def preconditions(self) -> "pd.DataFrame":
        """A way back: a backup of what is there now, in two places, that an offline key opens; services that answer."""
        first, settings = len(self.evidence.checks), self.work.settings
        newest = newest_backup(self.work.engine)
        late = changed_since(settings, newest)
        backed_up = newest is not None and not late
        self._either(
            "the secrets are backed up as they are", backed_up, f"not yet: {', '.join(late) or 'nothing'}"
        )
        copy = secret_copies.copy_of(settings, str(newest.id)) if newest else None
        self._either("the second place has that backup", copy is not None, copy or "no copy")
        away = [one for one in recipients(settings) if one["offline"]]
        self.evidence.check(
            "one recipient is offline",
            bool(away),
            msg("{count} not of this machine's own keys", count=len(away)),
        )
        if any(one["still_here"] for one in away):
            self.evidence.skip("the offline key is away from here", "it still lies in keys/: move it now")
        return self.evidence.table(first)

    def _either(self, name: str, passed: bool, detail: object) -> None:
        """What the real run puts right first is no failure of the dry run."""
        if passed:
            self.evidence.check(name, True, "yes")
        else:
            self.evidence.skip(name, msg("{detail}; the real run backs up first", detail=detail))

    def plan(self) -> "pd.DataFrame":
        """What will be replaced and what people notice; the hash is what the real run asks for."""
        self.plan_now = rotation.plan(self.environment, self.names, leaked=self.leaked)
        self.keep_plan(self.plan_now.target, self.plan_now.sha256, self.plan_now.to_dict())
        steps = [
            {"what": one.name, "is": f"{one.what}: {one.title} ({one.effect})"} for one in self.plan_now.steps
        ]
        steps += [{"what": name, "is": STAYS} for name in LASTING]
        more = {
            "started again": ", ".join(self.plan_now.restarted) or "nothing",
            "old values": "refused at once" if self.leaked else "those that sign are taken for a while",
            "plan_sha256": self.plan_now.sha256,
        }
        return rows([*steps, *({"what": name, "is": value} for name, value in more.items())], ["what", "is"])

    def rotate(self) -> "pd.DataFrame":
        """Replace everything of the plan. Cut short at any moment, the same runbook again finishes it."""
        if not self.for_real:
            return facts(NOT_DONE)
        switching.refuse_inside(self.environment)
        plan, told = self._plan(), list[str]()
        rotation_record.back_up(self.environment)
        rotation.check_ready(self.environment, plan)
        self.before = rotation_proof.values_of(self.environment)
        with self.evidence.step("rotation"):
            rotation.rotate(self.environment, plan, progress=told.append)
        left = sorted(rotation_journal.pending(self.environment))
        self.evidence.check("nothing is left half done", not left, ", ".join(left) or N_("no journal"))
        return rows([{"step": number, "done": line} for number, line in enumerate(told, 1)], ["step", "done"])

    def prove(self) -> "pd.DataFrame":
        """Try old and new on the services themselves."""
        first = len(self.evidence.checks)
        if self.before is None:
            self.evidence.skip("old refused, new taken", "nothing was rotated")
            return self.evidence.table(first)
        proofs = rotation_proof.prove(self.environment, self._plan().names, self.before)
        for proof in proofs:
            self.evidence.check(proof.name, proof.ok, proof.detail)
        names = self._plan().names
        rotation_record.record(self.environment, names, actor=ACTOR, leaked=self.leaked, proofs=proofs)
        return self.evidence.table(first)

    def back_up(self) -> "pd.DataFrame":
        """The new secrets, in two places, at once."""
        first = len(self.evidence.checks)
        if self.before is None:
            self.evidence.skip("backup of the new secrets", "nothing was rotated")
            return self.evidence.table(first)
        backup_id = rotation_record.back_up(self.environment)
        self.evidence.check(
            "backup of the new secrets", True, backup_id or N_("nothing has changed since the newest")
        )
        return self.evidence.table(first)

    def way_back(self) -> "pd.DataFrame":
        """If something does not work now, and what this runbook could not replace."""
        back = {
            "a service does not start": "leitstand logs NAME; then this runbook again, which goes on where it stopped",
            "a value is lost": "leitstand secrets restore --dry-run; it shows what the newest backup would put back",
            "the old values": "are in the backup before this one; a leaked value is not to be used again",
        }
        others = [{"if": what, "then": how} for what, how in LEFT]
        return rows([*({"if": what, "then": how} for what, how in back.items()), *others], ["if", "then"])

    def tell(self) -> "pd.DataFrame":
        """Whom to tell what."""
        return rows([{"whom": whom, "what": what} for whom, what in TELL], ["whom", "what"])

    def sign_off(self) -> "pd.DataFrame":
        """Every check; gives back the lock."""
        self.evidence.figures["ended_at"] = datetime.now(UTC).isoformat()
        return self.end()

    def _plan(self) -> rotation.Plan:
        if self.plan_now is None:
            raise PreconditionFailed("There is no plan yet.", hint="Run the steps in order.")
        return self.plan_now
