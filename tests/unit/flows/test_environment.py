"""The environment of Prefect's processes."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from leitstand.jobs.prefect_environment import (
    api_url,
    prefect_environment,
    prefect_worker_options,
    server_arguments,
    worker_arguments,
)
from leitstand.settings import REPOSITORY, Settings

SETTINGS = Settings(
    data_dir=Path("/data"), port=9000, database_password=SecretStr("p@ss/word"), prefect_password=SecretStr("secret-word"), LEITSTAND_DATABASE_URL=""
)  # fmt: skip


def test_server_and_clients_agree_on_address_and_password() -> None:
    environment = prefect_environment(SETTINGS)
    assert environment["PREFECT_API_URL"] == api_url(SETTINGS) == "http://127.0.0.1:9007/prefect/api"
    assert environment["PREFECT_SERVER_API_PORT"] == "9007"
    assert (
        environment["PREFECT_API_AUTH_STRING"]
        == environment["PREFECT_SERVER_API_AUTH_STRING"]
        == "admin:secret-word"
    )
    assert environment["PREFECT_WORKER_WEBSERVER_PORT"] == "9008"


def test_prefect_has_a_database_of_its_own_whatever_the_password_holds() -> None:
    url = prefect_environment(SETTINGS)["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    assert url == "postgresql+asyncpg://leitstand:p%40ss%2Fword@127.0.0.1:9009/prefect"


def test_a_flow_finds_our_code_and_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"/elsewhere:{REPOSITORY}")
    environment = prefect_environment(SETTINGS)
    assert environment["PYTHONPATH"] == f"{REPOSITORY}:/elsewhere"
    assert (environment["LEITSTAND_DATA_DIR"], environment["LEITSTAND_PORT"]) == ("/data", "9000")
    assert environment["PREFECT_HOME"] == "/data/prefect"


def test_nothing_is_told_to_anybody_else_and_no_secret_is_an_argument() -> None:
    environment = prefect_environment(SETTINGS)
    assert (environment["DO_NOT_TRACK"], environment["PREFECT_SERVER_ANALYTICS_ENABLED"]) == ("1", "false")
    assert environment["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:9000"
    arguments = " ".join([*server_arguments(), *worker_arguments(), *prefect_worker_options()])
    assert "secret-word" not in arguments
    assert "p@ss" not in arguments


def test_prefect_takes_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in prefect_environment(SETTINGS).items():
        monkeypatch.setenv(name, value)
    from prefect.settings import Settings as PrefectSettings

    read = PrefectSettings()
    assert read.server.api.base_path == "/prefect/api"
    assert read.server.concurrency.lease_storage.endswith("filesystem")
    assert read.server.events.retention_period.days == 7
    assert read.flows.heartbeat_frequency == 30
