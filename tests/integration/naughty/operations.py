"""The operations of an OpenAPI document with requests that they take, and texts in each of their parts."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from api.examples import ITEM, PERSON
from tests.integration.naughty.bodies import Filler
from tests.integration.naughty.talking import Talk
from tests.integration.permissions.bodies import HEADERS, QUERIES

JSON = "application/json"
Wanted = Callable[[str, str], bool]
# What the examples' persons are where they are none that any member is, by the end of a path.
MEANT = {
    "/documents/bulk": "/api/v1/spaces document_id", "/items/bulk": "own item", "/items/transfer": "owner",
    "/remove": "owner",
}  # fmt: skip
# What stands in the examples, and what there is.
THERE = {'"seen": 3': '"seen": 1', '"version": 2': '"version": 1', '"plan": "team"': '"plan": "unlimited"'}
NEEDED = QUERIES | {"POST /api/v1/spaces/{space_id}/documents": "?title=Taken"}


@dataclass(frozen=True)
class Request:
    """A request, and where in it the text stands: `body /title`, `query q`, `path name`; empty: nowhere."""

    method: str
    path: str
    address: str
    media: str = ""
    content: bytes | None = None
    place: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """For a report."""
        return f"{self.method} {self.path} {self.media} {self.place}"


@dataclass(frozen=True)
class Operation:
    """One of the document's."""

    talk: Talk
    method: str
    path: str
    told: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """The document that it is of."""
        return self.talk.world.app.openapi()

    def base(self) -> list[Request]:
        """What it takes: a request of each media type, or the one without a body."""
        content = self.told.get("requestBody", {}).get("content", {})
        headers = HEADERS.get(f"{self.method} {self.path}", ())
        if not content:
            return [Request(self.method, self.path, self.address(), headers=headers)]
        return [
            Request(self.method, self.path, self.address(media), media, written(media, self.example(media)), headers=headers)
            for media in content
            if not media.startswith("multipart/")
        ]  # fmt: skip

    def with_text(self, text: str, wanted: Wanted) -> Iterator[Request]:
        """Each of its requests with the text in each of the wanted places, one at a time."""
        yield from (request for request in self._with_text(text) if wanted(request.name, text))

    def _with_text(self, text: str) -> Iterator[Request]:
        for base in self.base():
            if base.media:
                for pointer, body in self._bodies(base.media, text):
                    yield _changed(base, f"body {pointer}", content=written(base.media, body))
            for parameter in self.told.get("parameters", []):
                yield from self._with_parameter(base, parameter, text)

    def address(self, media: str = "", **given: str) -> str:
        """Its address with ids, and with what its query needs."""
        path = self.path
        for name, value in given.items():
            path = path.replace(f"{{{name}}}", quote(value, safe="", errors="surrogatepass"))
        query = "?format=csv" if media == "text/csv" else NEEDED.get(f"{self.method} {self.path}", "")
        return self.talk.world.address(path, self.talk.ids) + query

    def example(self, media: str) -> Any:
        """The document's own, with ids of what is there."""
        body = self.told["requestBody"]["content"][media]
        if "example" in body:
            return self._with_ids(body["example"])
        shape = body["schema"]
        for one in (shape, *shape.get("anyOf", [])):
            known = self.document["components"]["schemas"].get(one.get("$ref", "").rpartition("/")[2], {})
            if known.get("examples"):
                return self._with_ids(known["examples"][0])
        if "ndjson" in media:
            return self.example(JSON)["events"][0]
        return "Nine byte"

    def _with_ids(self, example: Any) -> Any:
        ids = self.talk.ids | {"owner": str(self.talk.world.here.owner.person_id)}
        meant = next((name for end, name in MEANT.items() if self.path.endswith(end)), "person_id")
        text = json.dumps(example).replace(PERSON, ids[meant]).replace(ITEM, ids["own item"])
        text = text.replace(f'"space_id": "{ids["own item"]}"', f'"space_id": "{ids["space_id"]}"')
        for said, there in THERE.items():
            text = text.replace(said, there)
        return json.loads(text)

    def _bodies(self, media: str, text: str) -> Iterator[tuple[str, Any]]:
        shape, example = self.told["requestBody"]["content"][media]["schema"], self.example(media)
        if media == "text/csv":
            yield from _rows(example, text)
        elif shape.get("format") != "binary":
            yield from Filler(self.document, self.talk.ids["own item"], text).fill(shape, example)

    def _with_parameter(self, base: Request, parameter: dict[str, Any], text: str) -> Iterator[Request]:
        name, where = parameter["name"], parameter["in"]
        place = f"{where} {name}"
        if where == "path" and text:
            yield _changed(base, place, address=self.address(base.media, **{name: text}))
        elif where == "query":
            path, _, query = base.address.partition("?")
            rest = [one for one in query.split("&") if one and not one.startswith(f"{name}=")]
            more = urlencode({name: text}, errors="surrogatepass")
            yield _changed(base, place, address=f"{path}?{'&'.join([*rest, more])}")
        elif where == "header":
            value = text.encode(errors="surrogatepass").decode("latin-1")
            yield _changed(base, place, headers=((name.lower(), value),))


def operations(talk: Talk, without: str = "^$") -> list[Operation]:
    """All of them but those whose path fits `without`."""
    paths: dict[str, dict[str, Any]] = talk.world.app.openapi()["paths"]
    return [
        Operation(talk, method.upper(), path, told)
        for path, methods in paths.items()
        for method, told in methods.items()
        if not re.search(without, path)
    ]


def written(media: str, body: Any) -> bytes:
    """The body as it is sent."""
    if isinstance(body, str) and media != JSON:
        return body.encode(errors="surrogatepass")
    return json.dumps(body).encode()


def _changed(base: Request, place: str, **more: Any) -> Request:
    return Request(**{**vars(base), "place": place} | more)


def _rows(example: str, text: str) -> Iterator[tuple[str, str]]:
    """A table with the text in each cell of its first row, and in each of its names."""
    rows = list(csv.reader(io.StringIO(example)))
    for row in range(2):
        for at, name in enumerate(rows[0]):
            changed = [list(one) for one in rows]
            changed[row][at] = text
            file = io.StringIO()
            csv.writer(file).writerows(changed)
            yield f"/{row}/{name}", file.getvalue()
