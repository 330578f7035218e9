"""What a container executes, and the addresses that it knows the others by."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from leitstand.containers import site
from leitstand.containers.programs import NAMES, program, proxy_variables
from leitstand.errors import PreconditionFailed
from leitstand.jobs.prefect_environment import api_url
from leitstand.services import API, PREFECT, PROXY, SERVICES, WEB
from leitstand.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of another test's environment would go before what is given here."""
    for name in [one for one in os.environ if one.startswith("LEITSTAND_")]:
        monkeypatch.delenv(name)


def in_container(**more: object) -> Settings:
    known = {"service_port": 8000, "host": "0.0.0.0", "prefect_password": SecretStr("prefect-5d1c")}
    return Settings(**{**known, **more})  # type: ignore[arg-type]


def test_a_container_knows_the_others_by_name_and_those_of_its_own_colour() -> None:
    settings = in_container(colour="green")
    assert settings.address_of(WEB) == "http://web-green:8000"
    assert settings.address_of(PREFECT) == "http://prefect:8000"
    assert settings.address_of(PROXY) == "http://proxy:2019"
    assert settings.port_of(API) == 8000
    assert api_url(settings) == "http://prefect:8000/prefect/api"


def test_on_one_machine_the_ports_are_counted_as_ever() -> None:
    settings = Settings(port=9000, colour="green")
    assert settings.address_of(WEB) == "http://127.0.0.1:9001"
    assert settings.port_of(PREFECT) == 9007


def test_the_database_has_a_name_too() -> None:
    settings = in_container(database_host="postgres", database_password=SecretStr("a/b"))
    assert settings.database_url == "postgresql+psycopg://leitstand:a%2Fb@postgres:5432/leitstand"


def test_no_secret_is_in_an_argument(tmp_path: Path) -> None:
    settings = in_container(
        public_url="https://a.example",
        data_dir=tmp_path,
        s3_secret_key=SecretStr("s3-9e2b"),
        s3_access_key=SecretStr("k"),
    )
    for name in set(NAMES) - {"prefect-worker"}:
        argv, _ = program(name, settings)
        assert "prefect-5d1c" not in " ".join(argv)
        assert "s3-9e2b" not in " ".join(argv)


def test_every_service_but_the_database_can_be_served() -> None:
    assert set(NAMES) == {service.name for service in SERVICES} - {"postgres"}


def test_the_proxy_knows_both_colours_and_its_own_name() -> None:
    variables = proxy_variables(in_container(public_url="https://a.example:8443"))
    assert variables["LEITSTAND_WEB"] == "web-blue:8000 web-green:8000"
    assert variables["LEITSTAND_SITE"] == "a.example"
    with pytest.raises(PreconditionFailed):
        proxy_variables(in_container(public_url="http://a.example"))


def test_a_servers_folder_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site.ensure(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert "database_password" in made
    assert site.ensure(tmp_path) == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()} == before
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("LEITSTAND_SECRETS_FOLDER", str(tmp_path / "secrets"))
    settings = load_settings()
    assert settings.database_password.get_secret_value() == before["leitstand_database_password"].decode()
    assert settings.secrets_dir == tmp_path / "secrets"


def test_a_server_with_lost_secrets_keeps_those_it_has(tmp_path: Path) -> None:
    site.ensure(tmp_path)
    kept = (tmp_path / "secrets" / "leitstand_secrets_key").read_text()
    (tmp_path / "secrets" / "leitstand_session_secret").unlink()
    assert site.ensure(tmp_path) == ["session_secret"]
    assert (tmp_path / "secrets" / "leitstand_secrets_key").read_text() == kept


def test_the_caches_users_are_known_by_hash() -> None:
    users = site.cache_users("word")
    assert "word" not in users
    assert "user default on nopass -@all +ping +info\n" in users, "without a password it only says how it is"


def test_the_caches_users_follow_what_is_known_of_them(tmp_path: Path) -> None:
    site.ensure(tmp_path)
    path = tmp_path / "secrets" / "cache_users.acl"
    made = path.read_text()
    path.chmod(0o600)
    path.write_text("user default on nopass ~* &* +@all\n")

    assert site.ensure(tmp_path) == []

    assert path.read_text() == made
    assert path.stat().st_mode & 0o777 == 0o444
