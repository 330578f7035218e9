"""Lifecycle rules of a bucket that delete what someone may still need."""

from typing import TYPE_CHECKING, Any

from leitstand.storage.retries import attempt, code_of

if TYPE_CHECKING:
    from leitstand.storage.objects import ObjectStorage

NONE = frozenset({"NoSuchLifecycleConfiguration", "NotImplemented"})
# Deletes a marker that stands for nothing any more; no object.
HARMLESS = "ExpiredObjectDeleteMarker"


def deleting_rules(storage: "ObjectStorage", bucket: str) -> list[str]:
    """Names of the enabled rules that delete current objects; a store without rules has none.

    Raises:
        NotFound, Unavailable, PreconditionFailed: as the store says.
    """
    answer = attempt(lambda: _rules(storage, bucket), f"s3://{bucket}", attempts=storage.attempts)
    return [str(rule.get("ID") or "without a name") for rule in answer if _deletes(rule)]


def _rules(storage: "ObjectStorage", bucket: str) -> list[Any]:
    from botocore.exceptions import ClientError

    try:
        return list(storage.client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", []))
    except ClientError as error:
        if code_of(error) in NONE:
            return []
        raise


def _deletes(rule: Any) -> bool:
    return rule["Status"] == "Enabled" and bool(set(rule.get("Expiration", {})) - {HARMLESS})
