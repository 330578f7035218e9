"""Commands of the services as values: complete, in the right order, with no secret in any argument."""

from pathlib import Path

import pytest

from leitstand.embedded import launch, programs
from leitstand.embedded.credentials import NAMES, ensure_secrets
from leitstand.embedded.environment import Environment
from leitstand.embedded.programs import PROGRAMS, allowed_hosts
from leitstand.embedded.stop import waves
from leitstand.embedded.supervisor import configuration
from leitstand.jobs.prefect_environment import credentials
from leitstand.services import OBJECTS, POSTGRES, PREFECT, PREFECT_WORKER, PROXY, SERVICES


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    environment = Environment(tmp_path, 9000)
    ensure_secrets(environment)
    programs.store(environment).create()
    return environment


def test_every_service_has_one_program() -> None:
    assert sorted(program.service.name for program in PROGRAMS) == sorted(
        service.name for service in SERVICES
    )


def test_no_secret_is_in_an_argument_or_in_the_supervisors_configuration(environment: Environment) -> None:
    secrets = [environment.secret(name) for name in NAMES]
    for program in PROGRAMS:
        words = " ".join(program.argv(environment))
        assert not any(secret in words for secret in secrets), program.service.name
    assert not any(secret in configuration() for secret in secrets)


def test_the_supervisors_configuration_names_no_folder(environment: Environment) -> None:
    assert str(environment.data_dir) not in configuration()
    assert str(programs.REPOSITORY) not in configuration()


def test_every_python_service_listens_on_its_own_port_of_the_loopback(environment: Environment) -> None:
    for service in programs.FACTORIES:
        words = programs.http_argv(service)(environment)
        assert words[words.index("--port") + 1] == str(environment.port + service.offset)
        assert words[words.index("--host") + 1] == "127.0.0.1"


def test_postgresql_archives_by_option_and_listens_on_the_loopback(environment: Environment) -> None:
    words = programs.postgres_argv(environment)
    assert "archive_mode=on" in words
    assert any(word.startswith("archive_command=") and "leitstand.backups.archive" in word for word in words)
    assert "listen_addresses=127.0.0.1" in words


def test_prefects_password_is_the_one_that_flows_use(environment: Environment) -> None:
    assert programs.prefect_login(environment) == ":".join(credentials(programs.settings_of(environment)))


def test_prefect_sends_nothing_home_and_writes_into_the_data_folder(environment: Environment) -> None:
    variables = programs.prefect_variables(environment)
    assert variables["DO_NOT_TRACK"] == "1"
    assert variables["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    for name in ("PREFECT_HOME", "PREFECT_SERVER_UI_STATIC_DIRECTORY"):
        assert Path(variables[name]).is_relative_to(environment.data_dir)


def test_what_serves_stops_before_what_it_needs() -> None:
    order = {name: position for position, names in enumerate(waves()) for name in names}
    assert order[PROXY.name] == 0
    assert order[PREFECT_WORKER.name] < order[PREFECT.name] < order[POSTGRES.name] < order[OBJECTS.name]
    assert all(order[service.name] < order[PREFECT.name] for service in programs.FACTORIES)


@pytest.mark.parametrize(
    ("public_url", "further"),
    [
        ("", []),
        ("https://leitstand.example.org", ["leitstand.example.org"]),
        ("https://leitstand.example.org:8443/at", ["leitstand.example.org"]),
        ("https://user@leitstand.example.org", ["leitstand.example.org"]),
        ("http://[2001:db8::1]", ["[2001:db8::1]"]),
        ("http://[2001:db8::1]:80", ["[2001:db8::1]"]),
    ],
)
def test_the_proxy_answers_under_its_own_names_only(public_url: str, further: list[str]) -> None:
    assert allowed_hosts(public_url) == ["127.0.0.1", "localhost", *further]


@pytest.mark.parametrize("arguments", [[], ["nobody"], ["web", "api"]])
def test_the_launcher_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage"):
        launch.main(arguments)
