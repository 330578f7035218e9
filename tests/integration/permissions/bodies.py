"""A body for every route that takes one: what its schema asks for, so that only the permission can refuse it."""

import json
from typing import Any

from fastapi import FastAPI

from tests.integration.permissions.planting import SPARE, Ids

FLOW = {"title": "Taken", "steps": [{"kind": "end", "name": "end", "text": "Bye."}]}
# What a form may ask for; a form takes its own fields and leaves the rest.
FIELDS = {
    "title": "Taken", "name": "Taken", "by": "1", "flow": '{"title": "Taken", "steps": []}', "current": "x", "new": "x",
    "again": "x", "zone": "UTC", "theme": "dark", "email": "somebody@example.test", "role": SPARE, "typed": "x",
    "note": "x", "q": "x", "day": "2026-01-02", "code": "000000", "kind": "postgres", "action": "archive",
}  # fmt: skip
FORMS: dict[str, dict[str, str]] = {
    "POST /operations/drills": {"name": "postgres-latest"},
    "POST /operations/backups/retention": {"plan": "0" * 64},
    "POST /operations/checks": {"suite": "people"},
    "POST /reports": {"name": "weekly-insights"},
    "POST /companions/{item_id}/flow": {"flow": json.dumps(FLOW)},
    "POST /companions/{item_id}/flow/steps": {"name": "more", "kind": "message", "after": "welcome"},
    "POST /companions/{item_id}/flow/step": {
        "name": "thanks",
        "old": "thanks",
        "kind": "end",
        "text": "Bye.",
    },
    "POST /companions/{item_id}/flow/move": {"name": "welcome"},
    "POST /companions/{item_id}/flow/remove": {"name": "welcome"},
    "POST /companions/{item_id}/flow/preview": {"answers": "[]"},
    "POST /external-users/{person_id}/grants": {"item": "own item", "level": "read"},
    "POST /settings/members/invite": {"emails": "somebody@example.test"},
    "POST /external-users/invite": {"emails": "somebody@example.test"},
    "POST /conversations/with": {"companion": "item_id"},
    "POST /conversations/with-agent": {"agent": "/agents item_id", "question": "What?"},
    "POST /assistant": {"question": "What?"},
    "POST /agents/{item_id}/threads": {"question": "What?"},
    "POST /trash/bulk": {"action": "restore", "id": "/trash item_id"},
}
# Of every kind of items alike.
ENDINGS = {
    "/history/roll-back": {"number": "1"},
    "/import": {"text": '[{"title": "Taken"}]', "shape": "json"},
    "s/bulk": {"action": "add-tag", "tag": "x", "id": "own item"},
}
# Bodies and queries that a schema does not tell enough of.
BODIES: dict[str, Any] = {
    "PUT /api/v1/companions/{item_id}/flow": FLOW,
    "POST /api/v1/tokens": {"name": "robot", "permissions": []},
    "POST /api/v1/reports": {"name": "weekly-insights"},
    "POST /api/v1/insights/annotations": {"kind": "note", "day": "2026-01-02", "text": "x"},
    "POST /api/v1/events": {"events": []},
    "POST /api/v1/items/import": [{"title": "Taken", "kind": "board"}],
    "POST /api/v1/backups/prune": {"plan": "0" * 64},
    "PATCH /api/v1/conversations/{item_id}": {"title": "Taken"},
    "POST /api/v1/conversations": {"question": "What?"},
    "POST /api/v1/spaces/{space_id}/documents/bulk": {
        "action": "delete",
        "ids": ["01890a5d-ac96-774b-bcce-b302099a8057"],
    },
}
HEADERS = {"PATCH /api/v1/spaces/{space_id}/uploads/{upload_id}": (("upload-offset", "0"),)}
QUERIES = {
    "GET /companions/{item_id}/flow/step": "?name=thanks",
    "GET /api/v1/insights/annotations": "?from=2026-01-01&to=2026-01-02",
    "GET /api/v1/search": "?q=x",
}
SIMPLE: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}
TEXTS = {
    "uuid": "",
    "date": "2026-01-02",
    "date-time": "2026-01-02T00:00:00Z",
    "email": "somebody@example.test",
}


def form_of(method: str, path: str, ids: Ids) -> dict[str, str]:
    """The fields of a page's form; a value that is the name of an id is that id."""
    more = next((fields for end, fields in ENDINGS.items() if path.endswith(end)), {})
    fields = FIELDS | more | FORMS.get(f"{method} {path}", {})
    return {name: ids.get(value, value) for name, value in fields.items()}


def body_of(app: FastAPI, method: str, path: str, an_id: str) -> Any:
    """The least body that the OpenAPI document allows; None where there is none.

    Args:
        path: the route's own, with its parameters.
        an_id: what stands for an id in it.
    """
    if f"{method} {path}" in BODIES:
        return BODIES[f"{method} {path}"]
    document = app.openapi()
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return instance(content["schema"], document, an_id) if content else None


def instance(schema: dict[str, Any], document: dict[str, Any], an_id: str) -> Any:
    """The least value of a JSON Schema."""
    if "$ref" in schema:
        return instance(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, an_id)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return instance(schema[choice][0], document, an_id)
    if "const" in schema or "enum" in schema or "default" in schema:
        return schema.get("const", schema.get("default", (schema.get("enum") or [None])[0]))
    kind = schema.get("type", "object")
    if kind == "object":
        needed = schema.get("required", [])
        return {name: instance(schema["properties"][name], document, an_id) for name in needed}
    if kind == "array":
        return [instance(schema["items"], document, an_id) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        text = TEXTS.get(schema.get("format", ""), "x" * max(1, schema.get("minLength", 1)))
        return text or an_id
    return schema.get("minimum", SIMPLE[kind])
