"""A bucket of somebody else's store: listed and read, by requests that the caller sends, so that it can guard them."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound, Unavailable
from leitstand.storage.retries import (
    CONDITION_CODES,
    MISSING_CODES,
    REFUSED_CODES,
    SKEW_CODES,
    code_of,
    is_cut_answer,
    status_of,
)
from leitstand.storage.types import ObjectInfo
from leitstand.words import msg

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MOST_AT_ONCE = 1_000
ELSEWHERE = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "301", "307"})


@dataclass(frozen=True)
class Place:
    """Where a bucket is, and the key to it."""

    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Reply:
    """What the store answered to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# Method, address, headers and body of a signed request.
Send = Callable[[str, str, Mapping[str, str], bytes], Reply]


class ForeignBucket:
    """A bucket that is only read. botocore signs and parses; it opens no connection of its own.

    Args:
        send: sends each request, redirects and second tries too; what it raises is raised.
    """

    def __init__(self, place: Place, send: Send) -> None:
        self.place, self._send = place, send

    @cached_property
    def client(self) -> "S3Client":
        """The boto3 client, none of whose requests leaves by another way than `send`."""
        import boto3
        from botocore.config import Config

        place = self.place
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 1},
        )
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.region,
            aws_access_key_id=place.access_key,
            aws_secret_access_key=place.secret_key,
            config=config,
        )
        client.meta.events.register("before-send.s3", self._answer)
        return client

    def _answer(self, request: Any, **_: object) -> Any:
        from botocore.awsrequest import AWSResponse
        from botocore.compat import HTTPHeaders

        def text(value: Any) -> str:
            return value.decode() if isinstance(value, bytes) else str(value)

        body = request.body if isinstance(request.body, bytes) else b""
        headers = {text(name): text(value) for name, value in request.headers.items()}
        reply = self._send(request.method, request.url, headers, body)
        answered = HTTPHeaders.from_dict(dict(reply.headers))
        return AWSResponse(request.url, reply.status, answered, _Raw(reply.body))

    def first(self) -> None:
        """Ask for one line of the listing.

        Raises:
            InvalidInput, NotFound, Unavailable: what keeps the bucket from being read.
        """
        self._page("", 1)

    def objects(self, after: str = "") -> Iterator[list[ObjectInfo]]:
        """The objects under the prefix behind a key, a page of at most 1,000 at a time, ordered by key; raises as `first`."""
        while True:
            answer = self._page(after, MOST_AT_ONCE)
            found = [
                ObjectInfo(one["Key"], one["Size"], one["ETag"].strip('"'), one["LastModified"])
                for one in answer.get("Contents", [])
            ]
            if found:
                yield found
            if not found or not answer.get("IsTruncated") or found[-1].key <= after:
                return
            after = found[-1].key

    def read(self, key: str, *, etag: str) -> bytes:
        """The whole content of an object, as it was when it had that ETag.

        Raises:
            Conflict: it was replaced.
            NotFound: it is gone.
            InvalidInput, Unavailable: as `first`.
        """
        get = self.client.get_object
        answer = self._asked(lambda: get(Bucket=self.place.bucket, Key=key, IfMatch=f'"{etag}"'), key)
        if answer["ETag"].strip('"') != etag:
            raise Conflict("It was replaced while it was read.", hint="The next run takes it.")
        content: bytes = self._asked(answer["Body"].read, key)
        return content

    def _page(self, after: str, most: int) -> Any:
        place = self.place
        more: dict[str, Any] = {"StartAfter": after} if after else {}
        return self._asked(
            lambda: self.client.list_objects_v2(
                Bucket=place.bucket, Prefix=place.prefix, MaxKeys=most, **more
            )
        )

    def _asked(self, work: Callable[[], Any], key: str = "") -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return work()
        except LeitstandError:
            raise
        except ClientError as error:
            raise _named(error, self.place.bucket, key) from error
        except Exception as error:
            if not isinstance(error, BotoCoreError) and not is_cut_answer(error):
                raise
            raise Unavailable(
                "The store does not answer as S3 does.", hint="Check the address of the endpoint."
            ) from error


class _Raw(io.BytesIO):
    """A body that was read, as botocore expects one that is still to be read."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        while piece := self.read(64 * 1024):
            yield piece


def _named(error: Exception, bucket: str, key: str) -> LeitstandError:
    """What the store said, in words; `key` is that of the object that was asked for, empty for the bucket."""
    code = code_of(error)
    gone = code in MISSING_CODES and key and code != "NoSuchBucket"
    found: LeitstandError = Unavailable(
        msg("The store answers {code}.", code=code or status_of(error)), hint="Try again later."
    )
    if code in REFUSED_CODES:
        found = InvalidInput(
            msg("The store refuses the key ({code}).", code=code),
            hint="Check both keys, and that they may list and read the bucket.",
        )
    elif gone:
        found = NotFound("It is no longer in the bucket.")
    elif code in MISSING_CODES:
        found = NotFound(
            msg("The store has no bucket '{bucket}'.", bucket=bucket), hint="Check name, endpoint and region."
        )
    elif code in CONDITION_CODES:
        found = Conflict("It was replaced while it was read.", hint="The next run takes it.")
    elif code in ELSEWHERE:
        found = InvalidInput(
            msg("The bucket lies in another region ({code}).", code=code), hint="Enter its own region."
        )
    elif code in SKEW_CODES:
        found = Unavailable(msg("The store's clock differs from this machine's ({code}).", code=code))
    return found
