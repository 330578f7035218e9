"""Buckets and objects: every object's SHA-256 in its metadata, retries with jitter, range resume, multipart."""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.errors import NotFound
from leitstand.settings import Settings
from leitstand.storage.checksums import use_content_md5
from leitstand.storage.reader import ResumingReader
from leitstand.storage.retries import ATTEMPTS, attempt, code_of, is_transient
from leitstand.storage.types import ObjectHead, ObjectInfo, ObjectLock, Stored

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from leitstand.storage.probe import ProbeResult

CHUNK = 1024 * 1024
MULTIPART_FROM = 16 * CHUNK
BINARY = "application/octet-stream"
CONNECT_SECONDS = 5
READ_SECONDS = 60
NO_LOCK_CODES = frozenset({"ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed"})


class ObjectStorage:
    """One S3 store with one credential. Safe to share between threads; connects at first use.

    Where somebody waits for the answer, `limit_seconds` bounds a request and `attempts` how often care is asked for.
    Every method raises `NotFound`, `Unavailable` (after retries), `Conflict` (a condition failed),
    `PreconditionFailed` (credentials) or `IntegrityFailed` (content differs from its SHA-256).
    """

    def __init__(
        self, settings: Settings, *, limit_seconds: float = READ_SECONDS, attempts: int = ATTEMPTS
    ) -> None:
        self.settings = settings
        self.limit_seconds, self.attempts = limit_seconds, attempts

    @cached_property
    def client(self) -> "S3Client":
        """The boto3 client; no retries of its own, checksums only where S3 demands them (an older Ceph refuses others)."""
        return self.client_at(self.settings.s3_url)

    def client_at(self, endpoint: str) -> "S3Client":
        """A client that knows the store by another address, as people outside of this machine do."""
        import boto3
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": True},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 1},
            connect_timeout=min(CONNECT_SECONDS, self.limit_seconds),
            read_timeout=self.limit_seconds,
        )
        settings = self.settings
        session = boto3.session.Session()
        client = session.client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key.get_secret_value(),
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
            config=config,
            verify=settings.s3_ca_file or None,
        )
        use_content_md5(client)
        return client

    def ensure_buckets(self) -> None:
        """Make the buckets of this environment where they are missing.

        Media and evidence keep every version; objects of the bucket of evidence can be locked, where the store can.
        """
        settings = self.settings
        self.ensure_bucket(settings.bucket_media, versioned=True)
        self.ensure_bucket(settings.bucket_backups, versioned=False)
        self.ensure_bucket(settings.bucket_evidence, versioned=True, lockable=True)
        self.ensure_bucket(settings.bucket_insights, versioned=False)

    def ensure_bucket(self, bucket: str, *, versioned: bool, lockable: bool = False) -> None:
        """Make one bucket unless it is there; what is there is not made lockable, for no store does that."""
        try:
            attempt(lambda: self.client.head_bucket(Bucket=bucket), f"s3://{bucket}")
        except NotFound:
            create = self._create_lockable if lockable else self._create_bucket
            attempt(lambda: create(bucket), f"s3://{bucket}")
        if versioned and not self.is_versioned(bucket):
            attempt(
                lambda: self.client.put_bucket_versioning(
                    Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
                ),
                f"s3://{bucket}",
            )

    def _create_bucket(self, bucket: str) -> None:
        try:
            self.client.create_bucket(Bucket=bucket)
        except self.client.exceptions.BucketAlreadyOwnedByYou:
            return

    def _create_lockable(self, bucket: str) -> None:
        """With object lock, or without where the store says that it has none."""
        from botocore.exceptions import ClientError

        try:
            self.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        except self.client.exceptions.BucketAlreadyOwnedByYou:
            return
        except ClientError as error:
            if is_transient(error):
                raise
            self._create_bucket(bucket)

    def locks_objects(self, bucket: str) -> bool:
        """Whether objects of the bucket can be locked.

        Raises:
            NotFound: there is no such bucket.
        """
        from botocore.exceptions import ClientError

        def ask() -> bool:
            try:
                answer = self.client.get_object_lock_configuration(Bucket=bucket)
            except ClientError as error:
                if code_of(error) in NO_LOCK_CODES:
                    return False
                raise
            return answer["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"

        return attempt(ask, f"s3://{bucket}")

    # --- writing ---

    def put_bytes(
        self,
        bucket: str,
        key: str,
        data: bytes,
        content_type: str = BINARY,
        *,
        metadata: Mapping[str, str] | None = None,
        only_new: bool = False,
        lock: ObjectLock | None = None,
    ) -> Stored:
        """Store `data` (in memory, so small); with `only_new` an object that is there already is a Conflict.

        Stores that do not know If-None-Match ignore it: callers that depend on it look before they put.

        Args:
            lock: keeps this version from deletion; only in a bucket whose objects can be locked.
        """
        digest = hashlib.sha256(data).hexdigest()
        extra: dict[str, Any] = {"IfNoneMatch": "*"} if only_new else {}
        if lock is not None:
            # S3 takes a lock only together with a checksum that it knows.
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            extra |= {"ObjectLockMode": lock.mode, "ObjectLockRetainUntilDate": lock.until, "ContentMD5": md5}
        answer = attempt(
            lambda: self.client.put_object(
                Bucket=bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                Metadata={**(metadata or {}), "sha256": digest},
                **extra,
            ),
            f"s3://{bucket}/{key}",
        )
        return Stored(bucket, key, answer.get("VersionId", ""), len(data), digest)

    def put_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        content_type: str = BINARY,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> Stored:
        """Store a file of any size with one part of it in memory.

        The file is read twice, because S3 takes metadata (the hash) before the content.

        Raises:
            Conflict: the file changed while it was read.
        """
        if path.stat().st_size < MULTIPART_FROM:
            return self.put_bytes(bucket, key, path.read_bytes(), content_type, metadata=metadata)
        from leitstand.storage.multipart import upload

        return upload(self.client, bucket, key, path, content_type, dict(metadata or {}))

    # --- reading ---

    def open_stream(self, bucket: str, key: str, *, version: str = "", sha256: str = "") -> ResumingReader:
        """A reader over the object that survives cut connections and checks the hash at the end."""
        fixed: dict[str, Any] = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}

        def get(**more: Any) -> Any:
            return self.client.get_object(**fixed, **more)

        return ResumingReader(get, f"s3://{bucket}/{key}", sha256=sha256)

    def open_range(self, bucket: str, key: str, first: int, last: int) -> Iterator[bytes]:
        """The bytes `first` to `last` (included) in pieces; whoever reads asks for the rest where it breaks off."""
        get = partial(self.client.get_object, Bucket=bucket, Key=key, Range=f"bytes={first}-{last}")
        body = attempt(get, f"s3://{bucket}/{key}", attempts=self.attempts)["Body"]
        return iter(body.iter_chunks(CHUNK))

    def get_bytes(self, bucket: str, key: str, *, version: str = "", sha256: str = "") -> bytes:
        """The whole content, checked against its hash."""
        with self.open_stream(bucket, key, version=version, sha256=sha256) as stream:
            return stream.readall() or b""

    def download(self, bucket: str, key: str, path: Path, *, sha256: str = "", version: str = "") -> Stored:
        """Write the object to `path`, which appears only when it is complete and its hash is right."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        try:
            with (
                self.open_stream(bucket, key, version=version, sha256=sha256) as stream,
                temporary.open("xb") as target,
            ):
                while chunk := stream.read(CHUNK):
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return Stored(bucket, key, version, stream.bytes, stream.sha256)

    def head(self, bucket: str, key: str, *, version: str = "") -> ObjectHead:
        """What is known of an object without reading it."""
        extra: dict[str, Any] = {"VersionId": version} if version else {}
        answer = attempt(
            lambda: self.client.head_object(Bucket=bucket, Key=key, **extra), f"s3://{bucket}/{key}"
        )
        metadata = answer.get("Metadata", {})
        return ObjectHead(
            answer["ContentLength"],
            answer["ETag"],
            answer.get("VersionId", ""),
            metadata.get("sha256", ""),
            answer.get("ContentType", BINARY),
            answer["LastModified"],
            metadata,
        )

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """The objects under a prefix, ordered by key (a page of 1,000 in memory)."""
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        while True:
            page = attempt(partial(self.client.list_objects_v2, **request), f"s3://{bucket}/{prefix}")
            for entry in page.get("Contents", []):
                yield ObjectInfo(entry["Key"], entry["Size"], entry["ETag"], entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """The next level under a prefix that ends with a slash: `prefix` and one more name with its slash."""
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/"}
        while True:
            list_page = partial(self.client.list_objects_v2, **request)
            page = attempt(list_page, f"s3://{bucket}/{prefix}", attempts=self.attempts)
            yield from (entry["Prefix"] for entry in page.get("CommonPrefixes", []))
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def list_versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every version of the objects under a prefix, without delete markers."""
        return (info for info in self.list_history(bucket, prefix) if not info.deleted)

    def list_history(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every version of the objects under a prefix and every deletion that is marked, page by page."""
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        while True:
            page = attempt(partial(self.client.list_object_versions, **request), f"s3://{bucket}/{prefix}")
            for entry in page.get("Versions", []):
                yield ObjectInfo(
                    entry["Key"],
                    entry["Size"],
                    entry["ETag"],
                    entry["LastModified"],
                    entry["VersionId"],
                    entry["IsLatest"],
                )
            for marker in page.get("DeleteMarkers", []):
                yield ObjectInfo(
                    marker["Key"],
                    0,
                    "",
                    marker["LastModified"],
                    marker["VersionId"],
                    marker["IsLatest"],
                    deleted=True,
                )
            if not page.get("IsTruncated"):
                return
            request.update(
                KeyMarker=page["NextKeyMarker"], VersionIdMarker=page.get("NextVersionIdMarker", "")
            )

    def is_versioned(self, bucket: str) -> bool:
        """Whether what is replaced or deleted in the bucket stays as an older version."""
        answer = attempt(lambda: self.client.get_bucket_versioning(Bucket=bucket), f"s3://{bucket}")
        return answer.get("Status") == "Enabled"

    def delete(self, bucket: str, key: str, *, version: str = "") -> None:
        """Delete an object (in a versioned bucket: hide it) or one version for good; what is not there is no error."""
        extra: dict[str, Any] = {"VersionId": version} if version else {}
        attempt(lambda: self.client.delete_object(Bucket=bucket, Key=key, **extra), f"s3://{bucket}/{key}")

    # --- care ---

    def abort_stale_uploads(self, bucket: str, prefix: str, *, older_than: timedelta) -> int:
        """End multipart uploads that a killed process left behind; gives how many."""
        before = datetime.now(UTC) - older_than
        page = attempt(
            lambda: self.client.list_multipart_uploads(Bucket=bucket, Prefix=prefix),
            f"s3://{bucket}/{prefix}",
        )
        stale = [entry for entry in page.get("Uploads", []) if entry["Initiated"] < before]
        for entry in stale:
            self.client.abort_multipart_upload(Bucket=bucket, Key=entry["Key"], UploadId=entry["UploadId"])
        return len(stale)

    def probe(self, bucket: str = "") -> "ProbeResult":
        """Try what Leitstand needs of the store on throw-away objects (default: in the backups bucket)."""
        from leitstand.storage.probe import probe

        return probe(self, bucket or self.settings.bucket_backups)
