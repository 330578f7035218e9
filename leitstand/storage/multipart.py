"""Upload of a large file in parts, one in memory at a time."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from leitstand.errors import Conflict, NotFound
from leitstand.storage.retries import attempt
from leitstand.storage.types import Stored
from leitstand.words import msg

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

PART = 16 * 1024 * 1024
MOST_PARTS = 9_000


def part_size(size: int) -> int:
    """Bytes a part of a file of `size` bytes; S3 takes at most 10,000 parts."""
    return max(PART, -(-size // MOST_PARTS))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def upload(
    client: "S3Client", bucket: str, key: str, path: Path, content_type: str, metadata: dict[str, str]
) -> Stored:
    """Store a file in parts; what was begun is aborted when it fails.

    Raises:
        Conflict: the file changed while it was read.
    """
    what, size, expected = f"s3://{bucket}/{key}", path.stat().st_size, file_sha256(path)
    begun = attempt(
        lambda: client.create_multipart_upload(
            Bucket=bucket, Key=key, ContentType=content_type, Metadata={**metadata, "sha256": expected}
        ),
        what,
    )
    upload_id = begun["UploadId"]
    try:
        parts, read = _send_parts(client, bucket, key, upload_id, path, part_size(size))
        if read != expected:
            raise Conflict(
                msg("{path} changed while it was stored.", path=path),
                hint="Store it again when nothing writes to it.",
            )
        version = _complete(client, bucket, key, upload_id, parts, expected)
    except BaseException:
        _abort(client, bucket, key, upload_id)
        raise
    return Stored(bucket, key, version, size, expected)


def _send_parts(
    client: "S3Client", bucket: str, key: str, upload_id: str, path: Path, size: int
) -> "tuple[list[CompletedPartTypeDef], str]":
    digest, parts, number = hashlib.sha256(), [], 0
    with path.open("rb") as stream:
        while chunk := stream.read(size):
            number += 1
            digest.update(chunk)
            parts.append(_send_part(client, bucket, key, upload_id, number, chunk))
    return parts, digest.hexdigest()


def _send_part(
    client: "S3Client", bucket: str, key: str, upload_id: str, number: int, chunk: bytes
) -> "CompletedPartTypeDef":
    answer = attempt(
        lambda: client.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=chunk),
        f"s3://{bucket}/{key}",
    )
    return {"PartNumber": number, "ETag": answer["ETag"]}


def _complete(
    client: "S3Client",
    bucket: str,
    key: str,
    upload_id: str,
    parts: "list[CompletedPartTypeDef]",
    expected: str,
) -> str:
    """Join the parts; an upload that is gone was joined by a try whose answer was lost."""
    what = f"s3://{bucket}/{key}"
    try:
        done = attempt(
            lambda: client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            ),
            what,
        )
    except NotFound:
        head = attempt(lambda: client.head_object(Bucket=bucket, Key=key), what)
        if head.get("Metadata", {}).get("sha256") != expected:
            raise
        return head.get("VersionId", "")
    return done.get("VersionId", "")


def _abort(client: "S3Client", bucket: str, key: str, upload_id: str) -> None:
    """Best effort: a store that is down keeps the parts, and `abort_stale_uploads` ends them later."""
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except Exception:
        return
