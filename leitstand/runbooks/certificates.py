"""The steps of runbook rb080: people can't reach the site by its name, or browsers refuse its certificate."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leitstand.errors import LeitstandError, NotFound, Unavailable
from leitstand.runbooks import caddy_admin, tls
from leitstand.runbooks.caddy_admin import CaddyAdmin
from leitstand.runbooks.confirming import NOT_DONE, Confirmed, Plan, Step
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, take_up
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.removal import clock_difference
from leitstand.words import N_

if TYPE_CHECKING:
    import pandas as pd

LOAD, ASIDE, RENEW = "load again", "set aside", "renew"
HTTP, HTTPS = 80, 443
ERRORS_SHOWN = 8
SHOWN = ["certificate", "names", "issuer", "from", "until", "good"]
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.5
SKEW_SECONDS = 300
# Caddy renews when a third of the time is left; less than a sixth means that it tried and did not get one.
OVERDUE_PART = 1 / 6
LOCAL = {"localhost", "127.0.0.1", "::1"}


class CertificateTrouble(Confirmed):
    """One look at a name and its certificate, and, confirmed, a renewal."""

    NAME = "certificate-or-dns"

    def __init__(self, work: TakenUp, name: str, given: dict[str, Any], *, dry_run: bool) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.settings, self.now = work.settings, datetime.now(UTC)
        public = urlsplit(work.settings.public_url)
        self.trial = not (name or public.hostname)
        self.name = (name or public.hostname or "localhost").lower().rstrip(".")
        self.port = int(given["port"]) or self._port(public.port, public.scheme)
        self.expected = str(given["addresses"]).split()
        self.roots = Path(given["roots"]) if given["roots"] else None
        self.renew = bool(given["renew"])
        self.admin = CaddyAdmin(given["admin"])
        self.found: list[str] = []
        self.config: caddy_admin.Config | None = None
        self.served: tls.Certificate | None = None
        self.stored: tuple[Path, tls.Certificate | None] | None = None
        self.findings: dict[str, str] = {}

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        name: str = "",
        port: int = 0,
        addresses: str = "",
        admin: str = "127.0.0.1:2019",
        storage: str = "",
        log: str = "",
        roots: str = "",
        renew: bool = False,
        dry_run: bool = True,
    ) -> "CertificateTrouble":
        """Take up the work; without a name, and without a public address in the settings, it is a trial on this machine.

        Args:
            name: as people type it; empty: that of the public address.
            port: 0: that of the public address.
            addresses: what the name should resolve to, separated by spaces; empty: whatever it does.
            admin: host:port of Caddy's admin API on this machine.
            storage: Caddy's storage folder; empty: as its configuration says.
            log: Caddy's log in JSON; empty: that of this environment's proxy.
            roots: PEM file of the roots to trust; empty: this machine's.
            renew: renew also a certificate that is still good, as when its key was seen.

        Raises:
            InvalidInput: the admin address is none of this machine.
        """
        given = {"name": name, "port": port, "addresses": addresses, "admin": admin, "storage": storage}
        given |= {"log": log, "roots": roots, "renew": renew}
        return cls(take_up(run_id), name, given, dry_run=dry_run)

    # --- looking ---

    def identity(self) -> "pd.DataFrame":
        """Which name, on which machine, and what the clock says."""
        try:
            ahead = clock_difference(ObjectStorage(self.settings), self.settings.bucket_evidence)
            clock = f"{ahead:+.0f} s against the object store's"
        except LeitstandError as error:
            ahead, clock = 0.0, f"can't be compared: {error.message}"
        self._find("clock", abs(ahead) > SKEW_SECONDS, f"this machine's clock is wrong: {clock}")
        return facts(
            {
                "environment": self.settings.environment,
                "name": f"{self.name}{' (a trial: give a name)' if self.trial else ''}",
                "port": self.port,
                "it is now": f"{self.now:%Y-%m-%d %H:%M:%S} UTC; clock {clock}",
                "mode": "dry run: nothing is changed" if self.dry_run else "REAL RUN",
            }
        )

    def names(self) -> "pd.DataFrame":
        """What the name resolves to, against what is expected, and whether the ports answer there."""
        try:
            self.found = tls.addresses(self.name)
        except (NotFound, Unavailable) as error:
            self._find("name", True, f"{error.message} {error.hint}")
        others = sorted(set(self.found) ^ set(self.expected)) if self.expected else []
        self._find(
            "name",
            bool(self.found and others),
            f"it resolves to {', '.join(self.found)}, expected {', '.join(self.expected)}",
        )
        ports = sorted({self.port} | ({HTTP} if self.port == HTTPS else set()))
        table = [
            {"address": address, "port": port, "answers": tls.reached(address, port) or "yes"}
            for address in dict.fromkeys([*self.found, *self.expected])
            for port in ports
        ]
        closed = [
            f"{one['address']}:{one['port']} {one['answers']}" for one in table if one["answers"] != "yes"
        ]
        # Both of localhost's addresses are tried by every client; one is enough.
        self._find(
            "port", len(closed) == len(table) or (bool(closed) and self.name not in LOCAL), "; ".join(closed)
        )
        return rows(table, ["address", "port", "answers"])

    def certificate(self) -> "pd.DataFrame":
        """The certificate as it is served, and the one on disk."""
        self._read_admin()
        table = []
        try:
            self.served = self._served()
            table.append(self._row("served", self.served))
            why = self._distrusted()
            self._find("trust", bool(why), f"clients refuse it: {why}")
        except Unavailable as error:
            self._find("served", not self.trial, error.message)
        storage = caddy_admin.storage_of(self.config or {}, self._storage())
        for path, stored in tls.on_disk(storage, self.name):
            table.append(self._row(str(path.relative_to(storage)), stored))
            self.stored = self._newer(path, stored)
        self._judge()
        self.evidence.figures["before"] = self.served.to_dict() if self.served else {}
        return rows(table, SHOWN)

    def log(self) -> "pd.DataFrame":
        """Why Caddy could not get a certificate, in its own words."""
        errors = tls.acme_errors(self._log(), newest=ERRORS_SHOWN)
        return rows(errors, ["at", "what", "error"])

    def diagnosis(self) -> "pd.DataFrame":
        """Everything that is wrong, and what mends it."""
        self.evidence.figures["findings"] = self.findings
        self.evidence.save()
        found = [
            {"wrong": what, "is": says, "mended by": MENDS[what]}
            for what, says in self.findings.items()
            if says
        ]
        nothing = {
            "wrong": "nothing",
            "is": "name, port and certificate are as they should be",
            "mended by": "",
        }
        return rows(found or [nothing], ["wrong", "is", "mended by"])

    # --- deciding ---

    def preconditions(self) -> "pd.DataFrame":
        """What a renewal needs: Caddy's admin API, and that it manages the name."""
        first = len(self.evidence.checks)
        if self.config is None:
            self._needed(
                "Caddy's admin API answers",
                f"no answer at {self.admin.address}: see below what to do without",
            )
            return self.evidence.table(first)
        self.evidence.check("Caddy's admin API answers", True, self.admin.address)
        if subject := self._subject():
            self.evidence.check("Caddy answers to this name", True, subject)
        else:
            self._needed("Caddy answers to this name", "no route of its configuration names it")
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What Caddy will be told, and the hash of that."""
        return self.show_plan(Plan(self.name, tuple(self._steps()), self._basis()))

    def _steps(self) -> list[Step]:
        """A renewal where the certificate is at fault; loading again where a good one lies on disk already."""
        if self.config is None:
            return []
        moment = "for a second nobody can connect to this name; other names are not touched"
        stored = self.stored[1] if self.stored else None
        waits = stored is not None and self._good(stored) and self._is_other(stored)
        if self.renew and self.stored:
            return [
                Step(
                    ASIDE, self._relative(self.stored[0].parent), "kept in Caddy's storage, under set-aside/"
                ),
                Step(RENEW, self.name, moment),
            ]
        if waits or (self._wrong() and caddy_admin.loaded_files(self.config)):
            return [Step(LOAD, self.name, f"the certificate on disk is served; {moment}")]
        if self._wrong() or self.renew:
            return [Step(RENEW, self.name, f"the certificate authority is asked at once; {moment}")]
        return []

    def _basis(self) -> dict[str, Any]:
        """A renewal of what was set aside halfway is the same plan; one of another certificate is not."""
        serial = self.stored[1].serial if self.stored and self.stored[1] and not self.renew else ""
        return {"admin": self.admin.address, "on_disk": serial}

    # --- doing ---

    def carry_out(self) -> "pd.DataFrame":
        """Do what the plan says. Repeating it is safe at any moment."""
        if not self.for_real:
            return facts(NOT_DONE)
        with self.evidence.step("renewal"):
            if self.renew and self.stored:
                self._set_aside(self.stored[0].parent)
            if self._steps():
                self.admin.obtain(self._subject())
        return facts({"done": "Caddy was told; whether it got a certificate shows below"})

    def check(self) -> "pd.DataFrame":
        """The certificate as it is served now; a renewal is waited for."""
        if not self.for_real:
            return facts(NOT_DONE)
        first, before = len(self.evidence.checks), self.served
        after = self._wait(before)
        self.evidence.figures["after"] = after.to_dict() if after else {}
        changed = after is not None and (before is None or after.serial != before.serial)
        self.evidence.check(
            "another certificate is served",
            changed,
            after.serial if after else N_("none: see Caddy's log below"),
        )
        if after:
            self.evidence.check(
                "it is good for this name now", self._good(after), self._row("", after)["until"]
            )
            refused = self._distrusted()
            self.evidence.check("clients take it", not refused, refused or N_("yes"))
        if self.evidence.failures:
            return rows(tls.acme_errors(self._log(), newest=ERRORS_SHOWN), ["at", "what", "error"])
        return self.evidence.table(first)

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person, and the way back."""
        storage = caddy_admin.storage_of(self.config or {}, self._storage())
        steps = {
            "look": f"open https://{self.name} from another network than this one",
            "it did not renew": "mend what the log says (the name's records, ports 80 and 443 from outside, the authority's limits), then this runbook again",
            "without an admin API": "start the proxy again: it reads its storage and renews at once, and nobody is served meanwhile",
            "renewed by somebody else": "put the new files where the configuration loads them from, then this runbook again",
            "way back": f"what was set aside lies in {storage / 'set-aside'}: move it back, then this runbook again",
        }
        return facts(steps)

    # --- inside ---

    def _find(self, what: str, wrong: bool, says: str) -> None:
        if wrong and not self.findings.get(what):
            self.findings[what] = says

    def _subject(self) -> str:
        """What Caddy manages for this name: the name itself or one with a star; empty where it is neither."""
        known = caddy_admin.hosts(self.config or {})
        return next((one for one in (self.name, f"*.{self.name.partition('.')[2]}") if one in known), "")

    def _needed(self, name: str, why: str) -> None:
        """In a dry run something to know; a real run can't go on without."""
        if self.dry_run:
            self.evidence.skip(name, why)
        else:
            self.evidence.check(name, False, why)

    def _port(self, given: int | None, scheme: str) -> int:
        return given or (HTTPS if scheme == "https" or not self.trial else self.settings.port)

    def _storage(self) -> Path:
        given = self.given["storage"]
        return Path(given) if given else self.settings.data_dir / "caddy" / "data" / "caddy"

    def _log(self) -> Path:
        given = self.given["log"]
        return Path(given) if given else self.settings.data_dir / "logs" / "proxy.log"

    def _read_admin(self) -> None:
        try:
            self.config = self.admin.config()
        except Unavailable as error:
            self.findings.setdefault("admin", "" if self.trial else f"{error.message} {error.hint}")

    def _address(self) -> str:
        """One that answers, where there is one."""
        known = [*self.found, *self.expected] or ["127.0.0.1"]
        return next((one for one in known if not tls.reached(one, self.port)), known[0])

    def _served(self) -> tls.Certificate:
        return tls.served(self._address(), self.port, self.name)

    def _distrusted(self) -> str:
        return tls.distrusted(self._address(), self.port, self.name, self.roots)

    def _newer(self, path: Path, stored: tls.Certificate | None) -> tuple[Path, tls.Certificate | None]:
        known = self.stored[1] if self.stored else None
        if self.stored and known and (stored is None or stored.not_after <= known.not_after):
            return self.stored
        return path, stored

    def _good(self, certificate: tls.Certificate) -> bool:
        return certificate.valid_at(datetime.now(UTC)) and certificate.covers(self.name)

    def _is_other(self, stored: tls.Certificate) -> bool:
        return self.served is None or self.served.serial != stored.serial

    def _judge(self) -> None:
        """Whether the served certificate is at fault."""
        one = self.served
        if one is None:
            return
        ends = tls.age_words(one.not_after - self.now)
        self._find("expired", one.not_after < self.now, f"it ended {ends}")
        begins = tls.age_words(one.not_before - self.now)
        self._find("clock", one.not_before > self.now, f"it begins {begins}: look at the clock")
        self._find("names", not one.covers(self.name), f"it is for {', '.join(one.names) or 'no name'}")
        late = one.valid_at(self.now) and one.ends_within(self.now, OVERDUE_PART)
        self._find("overdue", late, f"it ends {ends}, and Caddy has not renewed it")

    def _wrong(self) -> bool:
        return any(self.findings.get(what) for what in ("expired", "names", "overdue", "served"))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(caddy_admin.storage_of(self.config or {}, self._storage())))

    def _row(self, where: str, one: tls.Certificate | None) -> dict[str, str]:
        if one is None:
            return {**dict.fromkeys(SHOWN, ""), "certificate": where, "good": "NO: can't be read"}
        good = "yes" if self._good(one) else "NO"
        return {
            "certificate": where,
            "names": ", ".join(one.names),
            "issuer": one.issuer,
            "from": f"{one.not_before:%Y-%m-%d %H:%M} UTC",
            "until": f"{one.not_after:%Y-%m-%d %H:%M} UTC ({tls.age_words(one.not_after - datetime.now(UTC))})",
            "good": good,
        }

    def _set_aside(self, folder: Path) -> None:
        """Move the certificate and its key out of Caddy's sight; nothing is deleted."""
        kept = caddy_admin.storage_of(self.config or {}, self._storage()) / "set-aside"
        kept.mkdir(mode=0o700, exist_ok=True)
        folder.rename(kept / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{folder.name}")

    def _wait(self, before: tls.Certificate | None) -> tls.Certificate | None:
        deadline, after = time.monotonic() + PATIENCE_SECONDS, before
        while time.monotonic() < deadline:
            try:
                after = self._served()
            except Unavailable:
                after = None
            if after and self._good(after) and (before is None or after.serial != before.serial):
                break
            time.sleep(POLL_SECONDS)
        return after


MENDS = {
    "clock": "the machine's time service; a certificate can't be judged with a wrong clock",
    "name": "the records at the DNS provider; no renewal works before, and changed records take their time to live",
    "port": "firewall, the proxy itself (./run status), the port forwarding of the network",
    "served": "this runbook, when the proxy speaks TLS; else whoever ends TLS in front of it",
    "trust": "this runbook, when the certificate is at fault; else the chain or the roots",
    "expired": "this runbook",
    "names": "this runbook, when Caddy answers to this name; else its configuration",
    "overdue": "this runbook, when the reason in the log is gone",
    "admin": "a restart of the proxy, which does the same with an interruption",
}
