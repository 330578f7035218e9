"""Every alert has a case, words in the guide, and a runbook that exists; every figure that it asks for is somewhere told."""

import json
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from leitstand.health.watching import configure, receivers
from leitstand.settings import REPOSITORY, Settings

RULES = REPOSITORY / "deploy" / "prometheus" / "rules"
CASES = REPOSITORY / "deploy" / "prometheus" / "tests"
GUIDE = (REPOSITORY / "docs" / "guide" / "alerts.md").read_text()
RUNBOOKS = {path.stem.split("-", 1)[1] for path in (REPOSITORY / "notebooks" / "runbooks").glob("*.ipynb")}


def alerts() -> list[dict[str, object]]:
    documents = [yaml.safe_load(path.read_text()) for path in RULES.glob("*.yml")]
    rules = [rule for document in documents for group in document["groups"] for rule in group["rules"]]
    return [rule for rule in rules if "alert" in rule]


@pytest.mark.parametrize("alert", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_has_a_case_words_and_a_runbook(alert: dict[str, dict[str, str]]) -> None:
    name, notes = str(alert["alert"]), alert["annotations"]
    assert f'alertname="{name}",alertstate="firing"' in "".join(
        path.read_text() for path in CASES.glob("*.yml")
    )
    assert notes["runbook"] == f"docs/guide/alerts.md#{name.lower()}"
    runbook = notes["runbook_url"].rpartition("/")[2]
    assert runbook in RUNBOOKS
    words = GUIDE.partition(f"### {name}\n")[2].partition("\n#")[0]
    assert words.startswith(f"`{alert['labels']['severity']}` · runbook `{runbook}`.")
    assert len(words) > 80


def test_each_figure_of_ours_is_told_by_the_code() -> None:
    recorded = r"leitstand:[a-z_:0-9]+"
    text = re.sub(recorded, "", "".join(path.read_text() for path in RULES.glob("*.yml")))
    asked = set(re.findall(r"leitstand_[a-z_]+", text))
    listed = subprocess.run(
        ["git", "grep", "-hoE", 'leitstand_[a-z_]+"', "--", "leitstand", "serving"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = {line.strip('"') for line in listed.stdout.splitlines()}
    names = {re.sub(r"_(bucket|count)$", "", name) for name in asked}
    assert len(names) > 15
    assert {name for name in names if name not in told and name.removesuffix("_total") not in told} == set()


def test_receivers_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "alert_mail": "a@example.org b@example.org",
            "smtp_host": "mail.example.org",
            "smtp_user": "u",
            "smtp_password": "hush",
            "alert_webhook_url": "https://hook.example.org",
            "public_url": "https://leitstand.example",
        }
    )
    page, ticket, outside = receivers(settings)
    assert [one["to"] for one in page["email_configs"]] == ["a@example.org", "b@example.org"]
    assert page["webhook_configs"][0]["url"] == "https://hook.example.org"
    assert "webhook_configs" not in ticket and ticket["email_configs"]
    assert outside == {"name": "outside"}
    for path in configure(settings, tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())
    assert written["receivers"][0]["email_configs"][0]["auth_password"] == "hush"
    assert json.loads((tmp_path / "sites.json").read_text())[0]["targets"] == [
        "https://leitstand.example/sign-in"
    ]


def test_what_is_asked_is_what_compose_starts() -> None:
    config = yaml.safe_load((REPOSITORY / "deploy" / "prometheus" / "prometheus.yml").read_text())
    compose = yaml.safe_load((REPOSITORY / "deploy" / "compose.monitoring.yaml").read_text())["services"]
    asked = {
        target.partition(":")[0]
        for job in config["scrape_configs"]
        if job["job_name"] not in ("inner", "site")
        for one in job["static_configs"]
        for target in one["targets"]
    }
    ours = {
        f"{name}-{colour}"
        for name in ("web", "api", "runtime", "query", "insights")
        for colour in ("blue", "green")
    }
    assert asked - set(compose) - {"localhost"} == ours | {"worker", "proxy"}
    assert all("ports" not in service for service in compose.values())


def test_the_guide_has_every_service_with_its_health_alert_and_runbook() -> None:
    """A service that joins, or an alert that is renamed, is missing here."""
    guide = (REPOSITORY / "docs" / "guide" / "operations.md").read_text()
    rows = re.findall(
        r"^\| (`.+) \|$", guide.partition("## Every service")[2].partition("\n## ")[0], re.MULTILINE
    )
    known, listed = {str(rule["alert"]) for rule in alerts()}, set[str]()
    for row in rows:
        services, health, tried, alert, runbook = row.split(" | ")
        listed |= set(re.findall(r"`([a-z-]+)`", services))
        assert health and tried
        named = set(re.findall(r"`([A-Z]\w+)`", alert))
        assert named and named <= known, row
        assert runbook.strip("`") in RUNBOOKS, row

    compose = [
        yaml.safe_load((REPOSITORY / "deploy" / f"compose{name}.yaml").read_text())["services"]
        for name in ("", ".staging", ".monitoring")
    ]
    lasting = {
        re.sub("-(blue|green)$", "", name)
        for services in compose
        for name, service in services.items()
        if service.get("restart") != "no" and "image" in service
    }
    assert listed == lasting
