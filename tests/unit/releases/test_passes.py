"""Production takes what staging has signed, and nothing else."""

import time
from pathlib import Path

import pytest

from leitstand.errors import Forbidden, PreconditionFailed
from leitstand.releases import journal as journals
from leitstand.releases import passes
from leitstand.releases.journal import DONE, ENDED, FINISHED, FORWARD, ROLLED_BACK, begin
from leitstand.releases.site import Site

ONE, TWO = (f"leitstand@sha256:{digit * 64}" for digit in "12")


def released(site: Site, image: str, outcome: str, kind: str = "release") -> None:
    made = begin(site.releases, {"kind": kind, "image": image, "steps": []})
    made.write(DONE, step="observe", way=FORWARD, seconds=1, evidence={"requests": 40})
    made.write(ENDED, outcome=outcome)


@pytest.fixture
def staging(tmp_path: Path) -> Site:
    site = Site(tmp_path, "staging")
    released(site, ONE, FINISHED)
    return site


def test_a_pass_says_what_was_released_on_staging(staging: Site) -> None:
    says = passes.verified(passes.issue(staging, ONE), passes.public_key(staging), ONE)
    assert says["image"] == ONE and says["observed"] == {"requests": 40}
    assert says["release"] == journals.journals(staging.releases)[0].id
    assert (staging.folder / passes.KEY).stat().st_mode & 0o077 == 0


def test_what_was_rolled_back_or_never_released_gets_none(staging: Site) -> None:
    released(staging, TWO, ROLLED_BACK)
    released(staging, TWO, FINISHED, kind="rollback")
    with pytest.raises(PreconditionFailed):
        passes.issue(staging, TWO)
    with pytest.raises(PreconditionFailed):
        passes.issue(Site(staging.folder, "production"), ONE)


def test_no_other_image_key_text_or_time(
    staging: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, key = passes.issue(staging, ONE), passes.public_key(staging)
    body, signature = token.split(".")
    other = passes.public_key(Site(tmp_path / "other", "staging"))
    for changed in (
        f"{body[:-2]}AA.{signature}",
        f"{body}.{signature[:-4]}AAAA",
        "",
        "a",
        "a.b",
        "a.b.c",
        f"{body}.",
    ):
        with pytest.raises(Forbidden):
            passes.verified(changed, key, ONE)
    for wrong in (other, "", "zz"):
        with pytest.raises(Forbidden):
            passes.verified(token, wrong, ONE)
    with pytest.raises(Forbidden, match=ONE):
        passes.verified(token, key, TWO)
    later = time.time() + 15 * passes.DAY_SECONDS
    monkeypatch.setattr(passes.time, "time", lambda: later)
    with pytest.raises(Forbidden, match="14 days"):
        passes.verified(token, key, ONE)
