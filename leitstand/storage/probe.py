"""What a store really does: put, get, range, multipart, versions, conditional put, checksums, lifecycle, lock, on throw-away objects."""

import os
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from leitstand.errors import IntegrityFailed, LeitstandError, NotFound, PreconditionFailed
from leitstand.storage.rules import deleting_rules

if TYPE_CHECKING:
    from leitstand.storage.objects import ObjectStorage

PREFIX = "probe/"
SMALL = 256 * 1024
PART = 5 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One thing that was tried: `needed` ones must work, the others are good to know."""

    name: str
    works: bool
    needed: bool
    detail: str
    milliseconds: float


@dataclass(frozen=True)
class ProbeResult:
    """All that was tried; `ok` when everything that Leitstand needs works."""

    endpoint: str
    bucket: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.works for finding in self.findings if finding.needed)

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        return {
            "ok": self.ok,
            "endpoint": self.endpoint,
            "bucket": self.bucket,
            "findings": [asdict(finding) for finding in self.findings],
        }


class _Probe:
    """The tries; each gives a detail or raises."""

    def __init__(self, storage: "ObjectStorage", bucket: str) -> None:
        self.storage, self.bucket = storage, bucket
        self.key = f"{PREFIX}{secrets.token_hex(8)}"
        self.data = os.urandom(SMALL)

    def put(self) -> str:
        return f"{self.storage.put_bytes(self.bucket, self.key, self.data).bytes} bytes"

    def get(self) -> str:
        _same(self.storage.get_bytes(self.bucket, self.key), self.data)
        return "SHA-256 equal"

    def metadata(self) -> str:
        head = self.storage.head(self.bucket, self.key)
        _same(head.sha256, self.storage.put_bytes(self.bucket, self.key, self.data).sha256)
        return "SHA-256 kept with the object"

    def range(self) -> str:
        answer = self.storage.client.get_object(Bucket=self.bucket, Key=self.key, Range="bytes=1000-1999")
        _same(answer["Body"].read(), self.data[1000:2000])
        return answer.get("ContentRange", "")

    def checked_range(self) -> str:
        """If-Match on a read, which makes resuming a broken download safe."""
        self._refused(
            lambda: self.storage.client.get_object(
                Bucket=self.bucket, Key=self.key, Range="bytes=0-9", IfMatch='"0"'
            )
        )
        return "another ETag is refused"

    def listing(self) -> str:
        _same([info.key for info in self.storage.list(self.bucket, self.key)], [self.key])
        return "found by prefix"

    def multipart(self) -> str:
        client, key, parts = self.storage.client, f"{self.key}-multipart", [os.urandom(PART), b"the end"]
        upload = client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        done: list[Any] = []
        for number, part in enumerate(parts, 1):
            answer = client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=part
            )
            done.append({"PartNumber": number, "ETag": answer["ETag"]})
        client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
        )
        _same(self.storage.get_bytes(self.bucket, key), b"".join(parts))
        self.storage.delete(self.bucket, key)
        return "2 parts joined"

    def versions(self) -> str:
        """On the media bucket, the one whose versions Leitstand relies on."""
        media = self.storage.settings.bucket_media
        try:
            first = self.storage.put_bytes(media, self.key, b"one")
            second = self.storage.put_bytes(media, self.key, b"two")
            _same(self.storage.get_bytes(media, self.key, version=first.version), b"one")
        finally:
            for info in list(self.storage.list_versions(media, self.key)):
                self.storage.delete(media, self.key, version=info.version)
        if first.version == second.version:
            raise IntegrityFailed("two puts gave one version")
        return "an older version is readable"

    def conditional_put(self) -> str:
        self._refused(
            lambda: self.storage.client.put_object(
                Bucket=self.bucket, Key=self.key, Body=b"x", IfNoneMatch="*"
            )
        )
        return "If-None-Match: * keeps what is there"

    def checksums(self) -> str:
        """The newer checksum headers; not needed: our own SHA-256 is in the metadata."""
        key = f"{self.key}-checksum"
        self.storage.client.put_object(
            Bucket=self.bucket, Key=key, Body=self.data, ChecksumAlgorithm="SHA256"
        )
        self.storage.delete(self.bucket, key)
        return "x-amz-checksum-sha256 is taken"

    def anonymous(self) -> str:
        """An unsigned read must be refused."""
        import httpx

        settings = self.storage.settings
        # A store with a certificate of its own authority is known by that one alone.
        known = ssl.create_default_context(cafile=settings.s3_ca_file or None)
        answer = httpx.get(f"{settings.s3_url}/{self.bucket}/{self.key}", timeout=10, verify=known)
        if answer.status_code not in {401, 403}:
            raise IntegrityFailed(f"an unsigned read was answered with {answer.status_code}")
        return f"refused with {answer.status_code}"

    def lifecycle(self) -> str:
        """No rule of the bucket may expire what retention decides about."""
        expiring = deleting_rules(self.storage, self.bucket)
        if expiring:
            raise IntegrityFailed(f"objects expire by the rule {', '.join(expiring)}: take it away")
        return "no rule expires objects"

    def object_lock(self) -> str:
        """Whether objects of the bucket can be locked; asked, not tried, because a lock could not be taken back."""
        return self._lock_of(self.bucket)

    def evidence_lock(self) -> str:
        """The same for the bucket of evidence, whose records are locked where that is possible."""
        return self._lock_of(self.storage.settings.bucket_evidence)

    def _lock_of(self, bucket: str) -> str:
        from botocore.exceptions import ClientError

        from leitstand.storage.retries import code_of

        try:
            answer = self.storage.client.get_object_lock_configuration(Bucket=bucket)
        except ClientError as error:
            if code_of(error) != "ObjectLockConfigurationNotFoundError":
                raise
            raise PreconditionFailed("off: it has to be asked for when the bucket is created") from error
        rule = answer["ObjectLockConfiguration"].get("Rule", {}).get("DefaultRetention", {})
        return f"on, by default {rule.get('Mode', 'nothing')} {rule.get('Days', '')}".strip()

    def delete(self) -> str:
        self.storage.delete(self.bucket, self.key)
        try:
            self.storage.head(self.bucket, self.key)
        except NotFound:
            return "gone"
        raise IntegrityFailed("the object is still there")

    def _refused(self, request: Callable[[], Any]) -> None:
        from botocore.exceptions import ClientError

        from leitstand.storage.retries import CONDITION_CODES, code_of

        try:
            request()
        except ClientError as error:
            if code_of(error) in CONDITION_CODES:
                return
            raise
        raise IntegrityFailed("the condition was ignored")


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise IntegrityFailed("the answer is not what was stored")


def probe(storage: "ObjectStorage", bucket: str) -> ProbeResult:
    """Try everything once, in order; a failure does not stop the rest."""
    tries = _Probe(storage, bucket)
    needed = (
        tries.put,
        tries.get,
        tries.metadata,
        tries.range,
        tries.checked_range,
        tries.listing,
        tries.multipart,
        tries.versions,
        tries.anonymous,
        tries.lifecycle,
    )
    optional = (tries.conditional_put, tries.checksums, tries.object_lock, tries.evidence_lock)
    findings = [_try(work, needed=True) for work in needed] + [_try(work, needed=False) for work in optional]
    return ProbeResult(storage.settings.s3_url, bucket, (*findings, _try(tries.delete, needed=True)))


def _try(work: Callable[[], str], *, needed: bool) -> Finding:
    from botocore.exceptions import BotoCoreError, ClientError
    from httpx import HTTPError

    begun = time.monotonic()
    try:
        works, detail = True, work()
    except LeitstandError as error:
        works, detail = False, error.message
    except (BotoCoreError, ClientError, HTTPError) as error:
        works, detail = False, str(error)
    return Finding(
        work.__name__.replace("_", " "), works, needed, detail, round((time.monotonic() - begun) * 1000, 1)
    )
