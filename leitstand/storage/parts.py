"""A file that comes in parts over hours: begun, given parts by us or by whoever holds a presigned address, joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from leitstand.errors import NotFound
from leitstand.storage.retries import attempt

if TYPE_CHECKING:
    from leitstand.storage.objects import ObjectStorage

# S3 takes no smaller part, but for the last.
SMALLEST_PART = 5 * 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One part that the store has; `number` counts from 1."""

    number: int
    etag: str
    bytes: int


@dataclass(frozen=True)
class Parts:
    """A multipart upload of one object; `upload_id` is the store's name for it."""

    storage: "ObjectStorage"
    bucket: str
    key: str
    upload_id: str = ""

    @property
    def _what(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def _named(self) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.upload_id}

    def begin(self, media_type: str) -> str:
        """Begin an upload and give the store's name for it."""
        create = partial(
            self.storage.client.create_multipart_upload,
            Bucket=self.bucket, Key=self.key, ContentType=media_type,
        )  # fmt: skip
        return str(attempt(create, self._what, attempts=self.storage.attempts)["UploadId"])

    def put(self, number: int, data: bytes) -> Part:
        """Store a part; one of the same number is replaced."""
        send = partial(self.storage.client.upload_part, **self._named, PartNumber=number, Body=data)
        answer = attempt(send, self._what, attempts=self.storage.attempts)
        return Part(number, answer["ETag"], len(data))

    def list(self) -> list[Part]:
        """The parts that the store has, by number."""
        found: list[Part] = []
        request = self._named
        while True:
            page = attempt(partial(self.storage.client.list_parts, **request), self._what)
            found += [Part(one["PartNumber"], one["ETag"], one["Size"]) for one in page.get("Parts", [])]
            if not page.get("IsTruncated"):
                return found
            request["PartNumberMarker"] = page["NextPartNumberMarker"]

    def join(self, parts: Sequence[Part]) -> None:
        """Make the object of its parts. Where a try before this one did so and its answer was lost, that is as good.

        Raises:
            NotFound: the upload is gone and there is no object.
        """
        named: Any = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        work = partial(
            self.storage.client.complete_multipart_upload, **self._named, MultipartUpload={"Parts": named}
        )
        try:
            attempt(work, self._what)
        except NotFound:
            self.storage.head(self.bucket, self.key)

    def abort(self) -> None:
        """End an upload and free its parts; one that is gone is no error."""
        try:
            attempt(partial(self.storage.client.abort_multipart_upload, **self._named), self._what)
        except NotFound:
            return

    def address(self, number: int, size: int, *, seconds: int, public_url: str) -> str:
        """A presigned address to which exactly one part of `size` bytes can be put, for so many seconds.

        Args:
            public_url: where the store is reached by whoever puts it; the signature holds for that host alone.
        """
        client = self.storage.client_at(public_url)
        named = self._named | {"PartNumber": number, "ContentLength": size}
        return str(client.generate_presigned_url("upload_part", Params=named, ExpiresIn=seconds))
