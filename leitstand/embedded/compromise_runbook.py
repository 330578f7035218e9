"""The steps of runbook rb110: somebody may be inside. Keep the evidence, look, shut everybody out, replace every secret."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from leitstand.backups.actions import keep
from leitstand.backups.catalogue import COMPLETE
from leitstand.db.engine import make_engine, transaction
from leitstand.db.models import Backup, Workspace
from leitstand.embedded import probes, programs, rotation, switching
from leitstand.embedded.environment import REPOSITORY, locate
from leitstand.embedded.stop import wait_stopped
from leitstand.embedded.supervisor import Supervisor
from leitstand.errors import LeitstandError
from leitstand.identity import freezing, recent
from leitstand.identity.access import system_principal
from leitstand.runbooks import installed
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.point_in_time import instant_of
from leitstand.runbooks.preserving import Preserved, preserve, still_there
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.services import RUNTIME
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

KEEP, SIGN_IN, SESSIONS, TOKENS, PUBLIC, ROTATE = (
    "keep backup", "close sign-in", "end sessions", "revoke tokens", "stop", "rotate secrets",
)  # fmt: skip
SHOWN = 60
NOTIFY_WITHIN = timedelta(hours=72)


class Compromise(Confirmed):
    """One incident: what was found, and, confirmed, everybody shut out."""

    NAME = "suspected-compromise"

    def __init__(self, work: TakenUp, run_id: str, given: dict[str, Any], *, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.engine, self.settings, self.run_id = work.engine, work.settings, run_id
        self.environment = locate(work.settings.data_dir, work.settings.port)
        self.now = datetime.now(UTC)
        self.known_at = instant_of(given["known_at"]) or self.now
        self.since = self.known_at - timedelta(days=int(given["days"]))
        self.only = str(given["only_people"]).lower().split()
        self.actor = f"runbook {self.NAME}"
        self.differences: list[installed.Difference] = []
        self.kept: Preserved | None = None
        self.proofs: tuple[Any, ...] = ()

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        known_at: str = "",
        days: int = 14,
        commit: str = "",
        packages: bool = False,
        only_people: str = "",
        close_runtime: bool = False,
        rotate: bool = True,
        dry_run: bool = True,
    ) -> "Compromise":
        """Take up the work.

        Args:
            known_at: instant, with its offset, at which somebody first suspected it; empty: now.
            days: how far before that the attacker may have begun.
            commit: of the release that should run here; empty: what the installation says of itself.
            packages: compare the installed packages' files too, which takes a minute.
            only_people: e-mails of those who alone may still sign in; empty: sign-in stays open.
            close_runtime: stop the public runtime.
            rotate: replace every secret.

        Raises:
            InvalidInput: the instant is none.
        """
        given = {"known_at": known_at, "days": days, "commit": commit, "packages": packages}
        given |= {"only_people": only_people, "close_runtime": close_runtime}
        given |= {"rotate": "" if rotate else "false"}
        return cls(take_up(run_id), run_id, given, dry_run=dry_run)

    # --- looking ---

    def identity(self) -> "pd.DataFrame":
        """Which environment, from when on, and until when authorities have to be told."""
        with transaction(self.engine) as session:
            open_now = freezing.access(session)
        self.evidence.figures["access_before"] = open_now.to_dict()
        until = self.known_at + NOTIFY_WITHIN
        return facts(
            {
                "environment": f"{self.settings.environment}, {self.settings.data_dir}",
                "mode": "dry run: the evidence is kept, nothing else is changed"
                if self.dry_run
                else "REAL RUN",
                "looked at since": f"{self.since:%Y-%m-%d %H:%M} UTC",
                "suspected since": f"{self.known_at:%Y-%m-%d %H:%M} UTC",
                "data protection: an authority may have to be told by": f"{until:%Y-%m-%d %H:%M} UTC",
                "open now": f"{open_now.sessions} sessions, {open_now.tokens} API tokens, {open_now.people} people may sign in",
            }
        )

    def files(self) -> "pd.DataFrame":
        """The files of this installation that are not those of the release."""
        try:
            commit = installed.commit_of(REPOSITORY)
            wanted = str(self.given["commit"]) or commit
            self.differences = installed.differences(REPOSITORY, wanted, skip=self.settings.data_dir)
        except LeitstandError as error:
            self.evidence.skip("files compared", error.said)
            return self.last_check()
        if self.given["packages"]:
            self.differences += installed.package_differences()
        self.evidence.figures |= {"commit": commit, "differing_files": len(self.differences)}
        self.evidence.save()
        head = {"file": f"commit {commit}", "is": "is it the release that you know?"}
        table = [{"file": one.path, "is": one.how.upper()} for one in self.differences[:SHOWN]]
        if len(self.differences) > SHOWN:
            table.append({"file": f"and {len(self.differences) - SHOWN} more, in the evidence", "is": ""})
        return rows(
            [head, *(table or [{"file": "every other file", "is": "as in that commit"}])], ["file", "is"]
        )

    def preserve(self) -> "pd.DataFrame":
        """Keep what can be had now, before anything is changed."""
        if self.run_id == SANDBOX:
            self.evidence.skip("evidence kept", "this is a trial: start it with leitstand runbook run")
            return self.last_check()
        more = {"files.json": [vars(one) for one in self.differences]}
        with self.evidence.step("evidence"):
            self.kept = preserve(self.engine, self.settings, self.run_id, more)
        self.evidence.figures["preserved"] = vars(self.kept)
        self.evidence.check(
            "evidence kept",
            bool(self.kept.files),
            msg("{place}, manifest {sha256}", place=self.kept.place, sha256=self.kept.sha256),
        )
        table = [
            {"kept": one["name"], "bytes": f"{one['bytes']:,}", "sha256": one["sha256"]}
            for one in self.kept.files
        ]
        table += [
            {"kept": name, "bytes": "NOT KEPT", "sha256": why} for name, why in self.kept.missing.items()
        ]
        return rows(
            [
                *table,
                {"kept": f"{self.kept.place}manifest.json", "bytes": "MANIFEST", "sha256": self.kept.sha256},
            ],
            ["kept", "bytes", "sha256"],
        )

    def newcomers(self) -> "pd.DataFrame":
        """Who and what can get in since then, and what the audit log does not know."""
        with transaction(self.engine) as session:
            found = recent.newcomers(session, self.since)
            hidden = recent.unaudited_powerful(session)
        self.evidence.figures["newcomers"] = [vars(one) | {"at": one.at.isoformat()} for one in found]
        self.evidence.figures["not_in_the_audit_log"] = hidden
        self.evidence.save()
        table = [
            {
                "since": f"{one.at:%Y-%m-%d %H:%M}",
                "what": one.what,
                "who": f"{one.who} in {one.workspace}",
                "made": one.known,
            }
            for one in found[:SHOWN]
        ]
        older = [{"since": "", "what": "powerful", "who": email, "made": recent.UNKNOWN} for email in hidden]
        return rows([*table, *older], ["since", "what", "who", "made"])

    def changes(self) -> "pd.DataFrame":
        """What the audit log says about people, tokens, secrets and backups since then."""
        with transaction(self.engine) as session:
            found = recent.changes(session, self.since, limit=SHOWN)
        table = [
            {"at": f"{one.at:%Y-%m-%d %H:%M:%S}", "who": one.actor, "did": one.action, "to": one.target}
            for one in found
        ]
        return rows(table, ["at", "who", "did", "to"])

    # --- deciding ---

    def plan(self) -> "pd.DataFrame":
        """What is kept, closed and replaced, in this order; the hash is what the real run asks for."""
        first = len(self.evidence.checks)
        with transaction(self.engine) as session:
            missing = [email for email in self.only if email not in freezing.enabled_people(session)]
        self.evidence.check("who stays may sign in", not missing, ", ".join(missing) or N_("yes"))
        runs = Supervisor(self.environment).running()
        if self.given["close_runtime"]:
            self.evidence.check("the public runtime can be stopped", runs, "by the supervisor")
        shown = self.show_plan(Plan(self.settings.environment, tuple(self._steps())))
        if len(self.evidence.checks) > first and self.failures:
            return self.evidence.table(first)
        return shown

    def _steps(self) -> list[Step]:
        steps = [
            Step(KEEP, one, "retention leaves it, and what it builds on, alone") for one in self._backups()
        ]
        if self.only:
            steps.append(
                Step(
                    SIGN_IN, f"everybody but {', '.join(self.only)}", "nobody else can sign in until enabled"
                )
            )
        steps.append(Step(SESSIONS, "all", "everybody has to sign in again"))
        steps.append(Step(TOKENS, "all", "every program stops until it is given a new token"))
        if self.given["close_runtime"]:
            steps.append(Step(PUBLIC, RUNTIME.name, "visitors reach no companion until ./run up"))
        if self._rotates():
            names = rotation.plan(self.environment, leaked=True).names
            steps += [Step(ROTATE, name, "the old one is refused at once") for name in names]
        return steps

    def _rotates(self) -> bool:
        return bool(self.given["rotate"] != "false")

    def _backups(self) -> list[str]:
        """The newest complete backup of each kind from before the attacker may have begun; where there is none, the oldest."""
        found = []
        with transaction(self.engine) as session:
            for kind in ("postgres", "objects", "secrets"):
                known = select(Backup).where(Backup.kind == kind, Backup.status == COMPLETE)
                before = (
                    known.where(Backup.finished_at < self.since).order_by(Backup.finished_at.desc()).limit(1)
                )
                oldest = known.order_by(Backup.finished_at).limit(1)
                one = session.scalar(before) or session.scalar(oldest)
                found += [f"{kind} {one.id}"] if one else []
        return found

    # --- doing ---

    def freeze(self) -> "pd.DataFrame":
        """Keep the backups, then shut everybody out, in one transaction. Repeating it is safe."""
        if not self.for_real:
            return facts(NOT_DONE)
        if self._rotates():
            switching.refuse_inside(self.environment)
        told = [f"{self._keep(one)}" for one in self._backups()]
        with self.evidence.step("freeze"), transaction(self.engine) as session:
            if self.only:
                closed = freezing.close_sign_in(session, only=self.only, actor=self.actor)
                told.append(f"sign-in closed for {len(closed)} people")
            told.append(f"{freezing.end_all_sessions(session, actor=self.actor)} sessions ended")
            told.append(f"{freezing.revoke_all_tokens(session, actor=self.actor)} API tokens revoked")
        if self.given["close_runtime"]:
            supervisor = Supervisor(self.environment)
            supervisor.stop_services(RUNTIME.name)
            wait_stopped(supervisor, [RUNTIME.name])
            told.append("the public runtime is stopped")
        return rows([{"step": number, "done": line} for number, line in enumerate(told, 1)], ["step", "done"])

    def _keep(self, named: str) -> str:
        kind, _, backup_id = named.partition(" ")
        with transaction(self.engine) as session:
            workspace = session.scalar(select(Workspace.id).order_by(Workspace.id).limit(1))
            if workspace is None:
                return "there is no workspace, in whose audit log a kept backup could be noted"
            keep(
                session,
                self.settings,
                backup_id,
                kept=True,
                principal=system_principal(workspace, self.actor),
            )
        return f"backup of {kind} {backup_id} is kept"

    def rotate(self) -> "pd.DataFrame":
        """Replace every secret, and try old and new. Cut short at any moment, the same runbook again finishes it."""
        if not self.for_real or not self._rotates():
            return facts(NOT_DONE if not self.for_real else {"rotated": "nothing: rotate=false"})
        told: list[str] = []
        with self.evidence.once("rotation") as once:
            if once.earlier:
                return facts(
                    {"rotated": f"by the run that this one resumes: {', '.join(once.earlier['names'])}"}
                )
            agreed = rotation.plan(self.environment, leaked=True)
            with self.evidence.step("rotation"):
                done = rotation.carry_out(self.environment, agreed, actor=self.actor, progress=told.append)
            once.facts["names"] = agreed.names
        self.proofs = done.proofs
        self.settings = programs.settings_of(self.environment)
        self.engine.dispose()
        self.engine = make_engine(self.settings, statement_timeout_ms=0, application="leitstand-drill")
        return rows([{"step": number, "done": line} for number, line in enumerate(told, 1)], ["step", "done"])

    def check(self) -> "pd.DataFrame":
        """Nobody is inside any more, old secrets are refused, the evidence is as it was kept."""
        if not self.for_real:
            return facts(NOT_DONE)
        first = len(self.evidence.checks)
        with transaction(self.engine) as session:
            left, people = freezing.access(session), freezing.enabled_people(session)
        self.evidence.figures["access_after"] = left.to_dict()
        self.evidence.check(
            "no session holds", left.sessions == 0, msg("{sessions} hold", sessions=left.sessions)
        )
        self.evidence.check(
            "no API token is taken", left.tokens == 0, msg("{tokens} are", tokens=left.tokens)
        )
        if self.only:
            self.evidence.check(
                "only those named may sign in", set(people) <= set(self.only), ", ".join(people)
            )
        if self.given["close_runtime"]:
            up = probes.ask_one(self.environment, RUNTIME)
            self.evidence.check(
                "the public runtime does not answer", not up.ready, up.detail or N_("it answers")
            )
        for proof in self.proofs:
            self.evidence.check(f"secret {proof.name}", proof.ok, proof.detail)
        if self.kept:
            changed = still_there(self.settings, self.kept)
            self.evidence.check(
                "the evidence is as it was kept", not changed, ", ".join(changed) or N_("every hash")
            )
        return self.evidence.table(first)

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person, and the way back."""
        return facts(
            {
                "1": "leave the machine on: its memory is evidence; take it off the network if somebody is still inside",
                "2": "if files differ: this machine is not to be trusted, nor what was typed on it. Rebuild it elsewhere from the repository and a kept backup, then rotate again there",
                "3": "passwords of those who may sign in: leitstand person reset-password; an attacker may know them",
                "4": "backups from before are kept; take no restore over what runs before the evidence is copied away",
                "5": "copy the evidence to a machine that the attacker never reached, with its manifest's hash",
                "to open again": "leitstand person enable --email E-MAIL, one by one, after their password is new; ./run up starts the public runtime",
                "way back": "ended sessions and revoked tokens stay so; people sign in again and make new tokens",
            }
        )
