"""Bodies as they were sent, unpacked within bounds."""

import gzip
import io
import zlib

from fastapi import Request

from leitstand.errors import InvalidInput, TooLarge, UnsupportedMedia
from leitstand.words import msg


async def raw_body(request: Request) -> bytes:
    """The body as it came."""
    return await request.body()


def unpacked(request: Request, body: bytes, largest: int) -> bytes:
    """The body without its Content-Encoding.

    Args:
        largest: bytes that it may unpack to; no more than that is ever in memory.

    Raises:
        TooLarge: it unpacks to more.
        InvalidInput: it is not what its encoding says.
        UnsupportedMedia: the encoding is another than gzip.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise UnsupportedMedia(
            msg("The encoding {encoding!r} is not read here.", encoding=encoding[:40]),
            hint="Send gzip or none.",
        )
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            found = file.read(largest + 1)
    except (OSError, EOFError, zlib.error):
        raise InvalidInput(
            "The body is not whole gzip.", hint="Compress it again and send all of it."
        ) from None
    if len(found) > largest:
        raise TooLarge(
            msg("The body unpacks to more than {largest:,} bytes.", largest=largest),
            hint="Send it in several parts.",
        )
    return found
