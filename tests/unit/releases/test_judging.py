"""What a release judges by: facts, metrics, answers."""

from pathlib import Path

import pytest

from leitstand.releases import answers, preflight
from leitstand.releases.asking import Answer
from leitstand.releases.compose import repositories, set_variable
from leitstand.releases.from_settings import variables
from leitstand.releases.host import Checks, Sample
from leitstand.releases.images import image
from leitstand.releases.observing import wrong_with
from leitstand.releases.preflight import Facts
from leitstand.releases.site import Site

SITE = Site(Path("/nowhere"), "production", repository="our/leitstand")
OURS = image("our/leitstand@sha256:" + "a" * 64)
GOOD = Facts("r1", backup_hours=3, proof_hours=5)

METRICS = """# HELP leitstand_http_requests_total HTTP requests answered.
leitstand_http_requests_total{method="GET",route="/a",service="web",status="200"} 90.0
leitstand_http_requests_total{method="GET",route="/a",service="web",status="503"} 4.0
leitstand_http_requests_total{method="GET",route="/readyz",service="web",status="503"} 1000.0
leitstand_http_request_duration_seconds_bucket{le="0.5",method="GET",route="/a",service="web"} 80.0
leitstand_http_request_duration_seconds_bucket{le="1.0",method="GET",route="/a",service="web"} 88.0
leitstand_http_request_duration_seconds_bucket{le="+Inf",method="GET",route="/a",service="web"} 94.0
leitstand_http_request_duration_seconds_count{method="GET",route="/a",service="web"} 94.0
python_info 1.0
"""


def test_requests_of_people_are_counted_and_those_of_machines_are_not() -> None:
    assert answers.sample(METRICS) == Sample(94, 4, 6)


def test_checks_of_the_proxy_are_counted_by_what_they_were_told() -> None:
    line = 'leitstand_http_requests_total{{method="GET",route="/proxyz",service="web",status="{}"}} {}.0\n'
    assert answers.checks(METRICS + line.format(200, 7) + line.format(503, 2)) == Checks(7, 2)
    assert answers.checks(METRICS) == Checks(0, 0)


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Sample(1000, 10, 50), ""),
        (Sample(1000, 11, 0), "11 of 1000"),
        (Sample(1000, 0, 51), "51 of 1000"),
        (Sample(19, 19, 19), ""),
        (Sample(20, 1, 0), "1 of 20"),
        (Sample(-5, 0, 0), "started again"),
        (Sample(), ""),
    ],
)
def test_a_colour_is_judged_by_its_answers(seen: Sample, says: str) -> None:
    assert says in wrong_with(SITE, seen) and bool(says) == bool(wrong_with(SITE, seen))


def names(found: object) -> set[str]:
    return {one.name for one in found}  # type: ignore[attr-defined]


def test_an_image_is_ours_and_has_passed_staging() -> None:
    strange = image("other/thing@sha256:" + "b" * 64)
    assert names(preflight.refusals_of_image(SITE, strange, passed=False)) == {
        "image-not-ours",
        "not-passed-staging",
    }
    assert names(preflight.refusals_of_image(SITE, OURS, passed=True)) == set()
    assert names(preflight.refusals_of_image(Site(Path(), "staging"), OURS, passed=False)) == set()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GOOD, set()),
        (Facts("r1", unknown=True, backup_hours=3, proof_hours=5), {"schema-newer"}),
        (Facts("r1", migrating=True, backup_hours=3, proof_hours=5), {"dump-running"}),
        (Facts("r1", ("r2",), ("r2",), backup_hours=3, proof_hours=5), {"migrations-contract"}),
        (Facts("r1", ("r2",), backup_hours=26.1, proof_hours=5), {"backup-old"}),
        (Facts("r1", backup_hours=3, proof_hours=26.1), {"restore-unproven"}),
        (Facts("r1"), {"backup-old", "restore-unproven"}),
        (Facts("r1", backup_hours=3, proof_hours=5, conditions=("disk-full",)), {"alerts-firing"}),
    ],
)
def test_facts_refuse_by_name(facts: Facts, expected: set[str]) -> None:
    found = list(preflight.refusals_of_facts(SITE, facts))
    assert names(found) == expected
    assert all(one.says and one.hint for one in found), "each says what and the way out"


def test_what_nobody_may_accept() -> None:
    assert not preflight.ACCEPTABLE & {
        "not-passed-staging",
        "image-not-ours",
        "disk-low",
        "schema-newer",
        "dump-running",
    }


def test_answers_are_read() -> None:
    assert answers.unready(Answer(200, "{}")) == ""
    assert answers.unready(Answer(503, '{"output": "not ready: database"}')) == "not ready: database"
    assert answers.unready(Answer(502, "<html>")) == "answers 502"
    assert (
        answers.unready(Answer(0, "no answer: ConnectionRefusedError")) == "no answer: ConnectionRefusedError"
    )
    assert answers.tried("a", "/a", 200, "word", Answer(200, "a word")).ok
    assert "another page" in answers.tried("a", "/a", 200, "word", Answer(200, "none")).detail
    assert "answers 500, expected 200" in answers.tried("a", "/a", 200, "word", Answer(500, "word")).detail


def test_an_env_file_keeps_what_is_not_set(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# ours\nLEITSTAND_IMAGE_BLUE=a\nLEITSTAND_IMAGE_BLUENESS=b\nOTHER='c'\n")
    set_variable(path, "LEITSTAND_IMAGE_BLUE", "d@e")
    assert path.read_text() == "# ours\nLEITSTAND_IMAGE_BLUENESS=b\nOTHER='c'\nLEITSTAND_IMAGE_BLUE=d@e\n"
    assert variables(path.read_text()) == {"LEITSTAND_IMAGE_BLUENESS": "b", "LEITSTAND_IMAGE_BLUE": "d@e"}


def test_only_images_by_digest_are_cleared_away() -> None:
    digest = "sha256:" + "a" * 64
    assert repositories({f"our/leitstand@{digest}", digest, "leitstand:test", ""}) == {"our/leitstand"}
