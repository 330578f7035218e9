"""Files that people uploaded, handed out so that no browser ever shows or runs them: as attachments, with ranges."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from leitstand.conversations import files
from leitstand.identity.access import Principal
from leitstand.knowledge.files import get_file, pieces
from leitstand.settings import get_settings
from leitstand.storage.store import store_of

OK, PARTIAL, UNSATISFIABLE, NOT_MODIFIED = 200, 206, 416, 304
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
CSP = "sandbox; default-src 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class File:
    """A file to hand out.

    Args:
        name: how it is called where it is saved.
        size: its bytes.
        sha256: of its content, its ETag.
        open: gives the bytes from the first to the last (included) in pieces.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    open: Callable[[int, int], Iterator[bytes]]


def attachment(request: Request, file: File) -> Response:
    """The file, or the range of it that is asked for (one range; of several the whole file is given)."""
    tag = f'"{file.sha256}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": CSP,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=NOT_MODIFIED, headers=headers)
    wanted = request.headers.get("range", "")
    if request.headers.get("if-range", tag) != tag:
        wanted = ""
    first, last = span(wanted, file.size)
    if first > last:
        return Response(
            status_code=UNSATISFIABLE, headers=headers | {"Content-Range": f"bytes */{file.size}"}
        )
    status = OK
    if (first, last) != (0, file.size - 1):
        status = PARTIAL
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
    headers["Content-Length"] = str(last - first + 1)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=_plain(file.media_type))
    body = file.open(first, last)
    return StreamingResponse(body, status, headers, media_type=_plain(file.media_type))


def document_file(
    request: Request, session: Session, principal: Principal, *, space_id: UUID, document_id: UUID
) -> Response:
    """The file of a document, as `attachment`.

    Raises:
        NotFound, Forbidden, Conflict: as `knowledge.files.get_file`.
    """
    storage = store_of(get_settings())
    found = get_file(session, storage, principal=principal, space_id=space_id, document_id=document_id)
    file = File(
        found.title, found.media_type, found.bytes, found.sha256,
        lambda first, last: pieces(storage, found, first, last),
    )  # fmt: skip
    return attachment(request, file)


def attachment_file(
    request: Request, session: Session, principal: Principal, *, item_id: UUID, attachment_id: UUID
) -> Response:
    """A file that came with a question of a conversation, as `attachment`.

    Raises:
        NotFound, Conflict: as `conversations.files.hand_out`.
    """
    storage = store_of(get_settings())
    found = files.hand_out(
        session, storage, principal=principal, item_id=item_id, attachment_id=attachment_id
    )
    file = File(
        found.name, found.media_type, found.bytes, found.sha256,
        lambda first, last: files.pieces(storage, found, first, last),
    )  # fmt: skip
    return attachment(request, file)


def span(header: str, size: int) -> tuple[int, int]:
    """The first and the last byte that a Range header asks for; the first is behind the last where there are none.

    A header that is not understood asks for everything, as RFC 9110 has it.
    """
    found = RANGE.fullmatch(header.strip().replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return 0, size - 1
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else (1, 0)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < int(first):
        return 0, size - 1
    return int(first), end


def _plain(media_type: str) -> str:
    """A type that goes into a header as it is; what somebody declared may hold anything."""
    return (
        media_type
        if re.fullmatch(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+", media_type)
        else "application/octet-stream"
    )
