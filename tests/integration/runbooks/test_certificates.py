"""Runbook rb080 on a real Caddy whose certificate has expired, and on what it must not be fooled by."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from leitstand.errors import InvalidInput
from leitstand.runbooks import caddy_admin, tls
from leitstand.runbooks.caddy_admin import CaddyAdmin
from leitstand.runbooks.drills import run_runbook
from leitstand.runbooks.results import DrillResult
from tests.caddy import EXPIRED_SERIAL, NAME, Site, site
from tests.source import Source, source

__all__ = ["site", "source"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
RUNBOOK = "certificate-or-dns"


def run(
    source: Source,
    parameters: dict[str, object],
    confirmed: str = "",
    progress: Callable[[str], None] | None = None,
) -> DrillResult:
    return run_runbook(
        source.engine, source.settings, RUNBOOK, parameters, confirmed=confirmed, progress=progress
    )


def test_an_expired_certificate_is_found_and_renewed(source: Source, site: Site) -> None:
    site.expire()
    dry = run(source, site.parameters() | {"addresses": "127.0.0.9"})
    assert dry.ok, dry.error
    findings = dry.figures["findings"]
    assert "ended" in findings["expired"] and "expired" in findings["trust"]
    assert "expected 127.0.0.9" in findings["name"]
    assert [step["what"] for step in dry.figures["plan"]["steps"]] == ["renew"]
    assert site.served().serial == f"{EXPIRED_SERIAL:x}", "a dry run changes nothing"
    page = source.storage.get_bytes(*dry.html.removeprefix("s3://").split("/", 1)).decode()
    assert "could not get certificate from issuer" in page and "connection refused" in page

    def authority_comes_back(step: str) -> None:
        """After the runbook has looked: Caddy's own next try must not be what renews."""
        if step.startswith("4. ") and site.authority.ended():
            site.authority.start()

    given = site.parameters() | {
        "plan_sha256": dry.figures["plan_sha256"],
        "dry_run": False,
        "addresses": "127.0.0.9",
    }
    done = run(source, given | {"decided_by": "Olga"}, NAME, authority_comes_back)
    assert done.ok, done.error
    after = site.served()
    assert done.figures["after"]["serial"] == after.serial != f"{EXPIRED_SERIAL:x}"
    assert tls.distrusted("127.0.0.1", 443, NAME, site.roots) == ""


def test_a_name_that_a_killed_run_left_out_is_managed_again(site: Site) -> None:
    admin = CaddyAdmin(site.admin)
    before = admin.config()
    admin.load(caddy_admin.leaving_out(before, NAME))
    with pytest.raises(Exception, match="No certificate is served"):
        site.served()
    admin.obtain(NAME)
    assert tls.distrusted("127.0.0.1", 443, NAME, site.roots) == ""
    server = caddy_admin.servers(admin.config())["site"]
    assert server["automatic_https"] == {"disable_redirects": True}


def test_leaving_a_name_out_and_managing_it_again_leaves_the_rest_as_it_was() -> None:
    config = {"apps": {"http": {"servers": {"a": {"automatic_https": {"skip_certificates": ["other"]}}}}}}
    kept = copy.deepcopy(config)
    out = caddy_admin.leaving_out(config, "x")
    assert caddy_admin.leaving_out(out, "x") == out
    assert caddy_admin.managing(out, "x") == config == kept


@pytest.mark.parametrize("address", ["192.0.2.1:2019", "caddy.example:2019", "127.0.0.1", ":2019"])
def test_another_machines_admin_api_is_never_asked(address: str) -> None:
    with pytest.raises(InvalidInput):
        CaddyAdmin(address)


def test_a_damaged_certificate_on_disk_is_shown_and_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "certificates" / "ca" / "a.example"
    folder.mkdir(parents=True)
    (folder / "a.example.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert [one for _, one in tls.on_disk(tmp_path, "a.example")] == [None]
    (tmp_path / "log").write_text('not json\n{"level":"error","logger":"tls.renew"}\n[1]\n')
    assert tls.acme_errors(tmp_path / "log", newest=5) == []
