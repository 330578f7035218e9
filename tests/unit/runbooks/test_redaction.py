"""Secrets in notebooks: found wherever they stand and in whatever form, and gone from what is archived."""

import base64
import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pydantic import SecretStr
from pyrage import x25519

from leitstand.backups import keys
from leitstand.backups.secret_fingerprints import fingerprint_key
from leitstand.runbooks import documents
from leitstand.runbooks.redaction import Redactor
from leitstand.settings import Settings

VALUE = 's3cr3t/"value"+x'
IN_FILE = "only-in-a-file-9182"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "leitstand_other").write_text(IN_FILE + "\n")
    settings = Settings(data_dir=tmp_path, database_password=SecretStr(VALUE), backup_recipients="")
    keys.ensure_keys(settings)
    return settings


def printed(text: str) -> Any:
    cell = new_code_cell("show()", outputs=[new_output("stream", text=text)])  # type: ignore[no-untyped-call]
    return new_notebook(cells=[new_markdown_cell("# Title"), cell])  # type: ignore[no-untyped-call]


def identity(settings: Settings) -> str:
    return (keys.keys_dir(settings) / keys.OPERATIONAL).read_text().strip()


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda value: quote(value, safe=""),
        lambda value: json.dumps({"v": value}),
        lambda value: base64.b64encode(value.encode()).decode(),
        repr,
        html.escape,
        lambda value: value.encode().hex(),
        lambda value: base64.urlsafe_b64encode(f"x:{value} and more".encode()).decode(),
        lambda value: base64.encodebytes(f"{'a line of text ' * 9}{value}, the end".encode()).decode(),
        lambda value: f"\x1b[31m{value[:4]}\x1b[0m{value[4:]}",
    ],
)
@pytest.mark.parametrize("value", [VALUE, IN_FILE])
def test_a_value_is_found_in_every_form(settings: Settings, value: str, form: Any) -> None:
    notebook = printed(f"connected with {form(value)} today")
    found = Redactor(settings).findings(notebook)
    assert [finding.cell for finding in found] == [1]
    assert value not in str(found[0])
    clean = documents.dumps(Redactor(settings).redacted(notebook))
    assert form(value) not in clean and json.dumps(form(value))[1:-1] not in clean
    assert Redactor(settings).findings(documents.loads(clean)) == []


def test_the_environments_own_keys_are_found(settings: Settings) -> None:
    assert Redactor(settings).findings(printed(identity(settings)))


@pytest.mark.parametrize(
    "text",
    [
        str(x25519.Identity.generate()),
        "-----BEGIN RSA " + "PRIVATE KEY-----\nabc",
        "postgresql+psycopg://leitstand:hunter22@127.0.0.1/leitstand",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abcdefghijklmnop",
    ],
    # Named here, since a fresh key would name the test anew in every process that collects it.
    ids=["age key", "private key", "address with a password", "access key", "web token"],
)
def test_what_looks_like_a_secret_is_found(settings: Settings, text: str) -> None:
    assert Redactor(settings).findings(printed(f"it is {text}"))
    assert text not in documents.dumps(Redactor(settings).redacted(printed(text)))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://leitstand:***@127.0.0.1/leitstand",
        "http://127.0.0.1:8400/a@b",
        "at http://example.org\nanna:knows@it",
        "age1abc is a public key",
        "sha256 " + "ab" * 32,
    ],
)
def test_what_is_no_secret_stays(settings: Settings, text: str) -> None:
    assert Redactor(settings).findings(printed(text)) == []


def test_errors_sources_and_metadata_are_looked_at(settings: Settings) -> None:
    error = new_output("error", ename="E", evalue="boom", traceback=["line 1", f"line {VALUE}"])  # type: ignore[no-untyped-call]
    cells = [
        new_code_cell(f"x = {VALUE!r}"),
        new_code_cell("y", outputs=[error]),
        new_code_cell("z", metadata={"note": VALUE}),
    ]  # type: ignore[no-untyped-call]
    assert [finding.cell for finding in Redactor(settings).findings(new_notebook(cells=cells))] == [0, 1, 2]  # type: ignore[no-untyped-call]
    outside = new_notebook(cells=[], metadata={"papermill": {"parameters": {"p": VALUE}}})  # type: ignore[no-untyped-call]
    assert len(Redactor(settings).findings(outside)) >= 1


def test_the_secrets_of_before_a_rotation_are_found_too(settings: Settings) -> None:
    after = settings.model_copy(update={"database_password": SecretStr("the-new-password-of-today")})
    assert Redactor(after).findings(printed(VALUE)) == []
    both = Redactor(after, settings)
    assert both.findings(printed(VALUE)) and both.findings(printed("the-new-password-of-today"))
    assert VALUE not in documents.dumps(both.redacted(printed(VALUE)))


def test_each_earlier_signing_key_and_the_fingerprints_key_are_found(settings: Settings) -> None:
    kept = settings.model_copy(
        update={
            "session_secret_previous": SecretStr(
                "1700000000:first-signing-key\n1800000000:second-signing-key"
            )
        }
    )
    for value in ("first-signing-key", "second-signing-key"):
        assert Redactor(kept).findings(printed(f"signed with {value}"))
    key = fingerprint_key(settings).decode()
    assert Redactor(settings).findings(printed(key))


@pytest.mark.parametrize("names", [("stdout", "stdout", "stdout"), ("stdout", "stderr", "stdout")])
def test_a_value_printed_in_pieces_is_found_and_goes(settings: Settings, names: tuple[str, str, str]) -> None:
    pieces = (
        [IN_FILE[:7], "-", IN_FILE[7:]] if names[1] == "stderr" else [IN_FILE[:5], IN_FILE[5:9], IN_FILE[9:]]
    )
    outputs = [new_output("stream", name=name, text=text) for name, text in zip(names, pieces, strict=True)]  # type: ignore[no-untyped-call]
    notebook = new_notebook(cells=[new_code_cell("show()", outputs=outputs)])  # type: ignore[no-untyped-call]
    assert [finding.cell for finding in Redactor(settings).findings(notebook)] == [0]
    clean = Redactor(settings).redacted(notebook)
    texts = {output.name: output.text for output in clean.cells[0].outputs}
    assert texts["stdout"] == "[redacted]" and len(clean.cells[0].outputs) == len(set(names))
    assert Redactor(settings).findings(clean) == []


def test_names_and_lines_that_hold_it_together_are_cleaned(settings: Settings) -> None:
    cleaned = Redactor(settings).cleaned({IN_FILE: [IN_FILE[:5], IN_FILE[5:]], "kept": ["a", "b", 1]})
    assert cleaned == {"[redacted]": ["[redacted]"], "kept": ["a", "b", 1]}


def test_what_looks_like_a_secret_in_a_name_is_found_and_goes(settings: Settings) -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    notebook = new_notebook(cells=[new_code_cell("z", metadata={key: 1})])  # type: ignore[no-untyped-call]
    assert [finding.cell for finding in Redactor(settings).findings(notebook)] == [0]
    assert Redactor(settings).findings(Redactor(settings).redacted(notebook)) == []


def test_an_image_stays_as_it_is(settings: Settings) -> None:
    picture = base64.b64encode(bytes(range(256)) * 40).decode()
    cell = new_code_cell("show()", outputs=[new_output("display_data", data={"image/png": picture})])  # type: ignore[no-untyped-call]
    notebook = new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    assert Redactor(settings).findings(notebook) == []
    assert Redactor(settings).redacted(notebook) == notebook
