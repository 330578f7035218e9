"""The Compose files: what every service has, read without an engine."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from leitstand.containers.programs import COLOURS, NAMES
from leitstand.containers.tasks import TASKS
from leitstand.services import COLOURED, SERVICES
from leitstand.settings import Settings

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
BASE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
STAGING = yaml.safe_load((DEPLOY / "compose.staging.yaml").read_text())
ALL: dict[str, dict[str, Any]] = {**STAGING["services"], **BASE["services"]}
WATCHERS: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.monitoring.yaml").read_text())[
    "services"
]
EVERY = {**ALL, **WATCHERS}
ONCE = {*TASKS, "watching"}


def test_every_service_of_leitstand_has_a_container() -> None:
    single = {service.name for service in SERVICES if service not in COLOURED}
    double = {f"{service.name}-{colour}" for service in COLOURED for colour in COLOURS}
    assert set(ALL) == single | double | set(TASKS) | {"cache"}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    service = EVERY[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    assert ("ports" in service) == (name == "proxy")


@pytest.mark.parametrize("name", sorted(set(EVERY) - ONCE))
def test_what_runs_for_long_is_asked_for_its_health_and_comes_back(name: str) -> None:
    service = EVERY[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service.get("stop_grace_period") or name == "cache"


def test_a_container_executes_what_there_is() -> None:
    for name, service in ALL.items():
        command = service.get("command", [])
        if command[:2] == ["leitstand", "serve"]:
            assert command[2] in {*NAMES, *TASKS}
            assert name in {command[2], *(f"{command[2]}-{colour}" for colour in COLOURS)}


def test_a_colour_is_of_its_own_image_and_knows_which_it_is() -> None:
    for service in COLOURED:
        for colour in COLOURS:
            one = ALL[f"{service.name}-{colour}"]
            assert one["image"].startswith(f"${{LEITSTAND_IMAGE_{colour.upper()}")
            assert one["environment"]["LEITSTAND_COLOUR"] == colour
            assert one["networks"]["private"]["aliases"] == [service.name]


def test_every_secret_setting_is_a_file_of_each_python_service() -> None:
    secret = {
        f"leitstand_{name}" for name, field in Settings.model_fields.items() if field.annotation is SecretStr
    }
    for name, service in ALL.items():
        if "serve" in service.get("command", []) and name not in {"proxy", "objects"}:
            assert secret <= set(service["secrets"]), name
    assert secret <= set(BASE["secrets"])


def test_no_secret_is_a_variable_and_the_private_network_leads_nowhere() -> None:
    for service in EVERY.values():
        names = set(service.get("environment", {}))
        assert not {
            name for name in names if name.endswith(("PASSWORD", "SECRET", "SECRET_KEY", "SECRETS_KEY"))
        }
    assert BASE["networks"]["private"]["internal"] is True
    for network in BASE["networks"].values():
        assert network["driver_opts"]["com.docker.network.driver.mtu"] == "1450"
