"""Which checksum goes with which request."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from leitstand.storage.checksums import use_content_md5

VERSIONING = {"Status": "Enabled"}


@pytest.fixture
def sent() -> Iterator[tuple[Any, list[Any]]]:
    """A client whose requests are caught before they leave, and the requests."""
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
        config=Config(request_checksum_calculation="when_required"),
    )
    use_content_md5(client)
    requests: list[Any] = []

    def catch(request: Any, **_: object) -> AWSResponse:
        requests.append(request)
        return AWSResponse(request.url, 200, {}, _Empty())

    client.meta.events.register("before-send.s3", catch)
    yield client, requests


class _Empty:
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        return iter(())

    def read(self, *_: object) -> bytes:
        return b""


def newer(request: Any) -> list[str]:
    return [
        name for name in request.headers if name.lower().startswith(("x-amz-checksum", "x-amz-sdk-checksum"))
    ]


def test_where_one_is_demanded_it_is_the_one_that_every_store_knows(sent: tuple[Any, list[Any]]) -> None:
    client, requests = sent
    client.put_bucket_versioning(Bucket="media", VersioningConfiguration=VERSIONING)
    (request,) = requests
    assert newer(request) == []
    body = request.body if isinstance(request.body, bytes) else request.body.encode()
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert request.headers["Content-MD5"] in {digest, digest.encode()}


def test_an_object_bears_none_unless_it_is_asked_for(sent: tuple[Any, list[Any]]) -> None:
    client, requests = sent
    client.put_object(Bucket="media", Key="one", Body=b"content")
    client.put_object(Bucket="media", Key="two", Body=b"content", ChecksumAlgorithm="SHA256")
    assert newer(requests[0]) == [] and "Content-MD5" not in requests[0].headers
    assert any("sha256" in name.lower() for name in newer(requests[1]))
