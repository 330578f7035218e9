"""The checksum that every store knows, for the few requests of which S3 demands one.

boto3 sends CRC32 in a newer header with them, which older stores refuse or do not count; Content-MD5 is taken by all.
Objects themselves bear our own SHA-256 in their metadata.
"""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def use_content_md5(client: "S3Client") -> None:
    """Have the client send Content-MD5 where a checksum is demanded; one that is asked for by name stays."""
    client.meta.events.register("before-call.s3", _exchange)


def _exchange(model: Any, params: dict[str, Any], **_: object) -> None:
    """Called by botocore before it works out the checksum that it has chosen."""
    demanded = model.http_checksum_required or model.http_checksum.get("requestChecksumRequired")
    checksum = params.get("context", {}).get("checksum", {})
    body = params.get("body")
    if not demanded or "request_algorithm" not in checksum or not isinstance(body, bytes):
        return
    checksum.pop("request_algorithm")
    checksum.pop("request_algorithm_header", None)
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
