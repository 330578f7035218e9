"""The OpenAPI document is true: Schemathesis sends what it allows and what it forbids, with all of its checks."""

import re
from collections.abc import Iterator

import pytest
import schemathesis
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.generation.modes import GenerationMode
from sqlalchemy.orm import Session

from api.app import PREFIX
from leitstand.db.models import Workspace
from leitstand.identity import tokens
from tests.people import acting, join

# 422 and 412: rules of the core that JSON Schema can't say (a zone that exists, a hash that was seen, an ETag that is
# the newest). That the form itself is not refused, `well_formed_data_is_read` checks.
TAKEN = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429"]
NOT_THE_FORM = "The request does not have the form that is needed."
# One factory makes the endpoints of these and of agents and controls: the quick run leaves them out.
ALIKE = r"^/api/v1/(boards|collections|spaces|apps)(/|$)"
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@schemathesis.check
def well_formed_data_is_read(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """What the document allows is read; only a rule of the core may refuse it."""
    allowed = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if allowed and response.status_code == 422:
        told = response.json()
        # A rule on several members of a content, as that a link of a board needs two things of it.
        assert told["detail"] != NOT_THE_FORM or all(
            one["detail"].startswith("Value error, ") for one in told["errors"]
        ), response.text


schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@pytest.fixture
def secret(session: Session, workspace: Workspace) -> str:
    """An API token that may do all that an owner may."""
    owner = acting(session, workspace, join(session, workspace))
    made = tokens.create(session, principal=owner, name="robot", permissions=sorted(owner.permissions))
    session.commit()
    return made.secret


def broken(
    app: FastAPI, secret: str, phases: tuple[str, ...], examples: int, *, without: str = ""
) -> Iterator[str]:
    """Everything that a run of Schemathesis holds against the API; a line each."""
    config = SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {secret}"},
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "no-shrink": True,
                "allow-x00": False,
            },
            "continue-on-failure": True,
            # Not a fault of the API, but of a machine that is busy.
            "request-timeout": 120,
            "checks": {"positive_data_acceptance": {"expected-statuses": TAKEN}},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
        }
    )
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", app, config=config)
    if without:
        schema = schema.exclude(path_regex=without)
    cases = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            cases += len(event.recorder.cases)
            yield from _failures(event)
        elif isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.value!r}"
        elif isinstance(event, events.FatalError):
            raise event.exception
    # As many as there are operations; only a few have an example of each of their parts.
    assert cases > 150 or phases == ("examples",)


def _failures(event: events.ScenarioFinished) -> Iterator[str]:
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            case, failure = event.recorder.cases[case_id].value, check.failure_info.failure
            sent = {
                "path": case.path_parameters,
                "query": case.query,
                "headers": case.headers,
                "body": case.body,
            }
            yield f"{check.name}: {case.method} {case.path} {sent}: {failure.title}: {failure.message}"[
                :1_500
            ]


def test_every_endpoint_keeps_to_the_document(app: FastAPI, secret: str) -> None:
    found = list(broken(app, secret, ("fuzzing",), 1, without=ALIKE))
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("phase", PHASES)
def test_every_endpoint_keeps_to_the_document_whatever_comes(app: FastAPI, secret: str, phase: str) -> None:
    found = list(broken(app, secret, (phase,), 50))
    assert not found, "\n".join(found)


def test_every_bound_stands_in_the_document_in_its_own_words(app: FastAPI) -> None:
    """pydantic writes `le` where a validator stands before the bounds, which nobody reads."""

    def nodes(value: object) -> Iterator[dict[str, object]]:
        if isinstance(value, dict):
            yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from nodes(inner)

    foreign = {"ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length"}
    assert [node for node in nodes(app.openapi()) if "type" in node and foreign & node.keys()] == []


def test_no_name_can_be_a_word_in_its_place(app: FastAPI) -> None:
    """An id is never taken for the word of the path beside it; a name can be: what is `/things/{name}` of `runs`?"""
    paths = app.openapi()["paths"]
    for path, operations in paths.items():
        names = {
            parameter["name"]
            for operation in operations.values()
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "path" and "format" not in parameter["schema"]
        }
        for name in names:
            pattern = re.compile(re.escape(path).replace(re.escape(f"{{{name}}}"), "[^/{]+"))
            assert not [other for other in paths if other != path and pattern.fullmatch(other)], path


def test_every_request_has_an_example_that_fits(app: FastAPI) -> None:
    document = app.openapi()
    shapes = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media, body in operation.get("requestBody", {}).get("content", {}).items():
                shape = body["schema"]
                for one in (shape, *shape.get("anyOf", [])):
                    shape = shapes.get(one.get("$ref", "").rpartition("/")[2], shape)
                examples = [body["example"]] if "example" in body else shape.get("examples", [])
                # Lines and files have no example that a document could show.
                file = body["schema"].get("format") == "binary"
                assert examples or "ndjson" in media or "multipart" in media or file, (
                    f"{method} {path} {media}"
                )
                for example in examples:
                    Draft202012Validator(shape | {"components": document["components"]}).validate(example)
