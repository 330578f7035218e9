"""Texts turned into vectors by a model at an endpoint, in the form of OpenAI's API."""

import json
import math
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from leitstand.db.engine import transaction
from leitstand.errors import InvalidInput, LeitstandError, TooManyRequests, Unavailable
from leitstand.language_models.breaker import breaker
from leitstand.language_models.calls import Asker, record
from leitstand.language_models.endpoints import Target
from leitstand.language_models.messages import Spent, estimated
from leitstand.limits.room import require_room
from leitstand.outgoing.fetching import Answer, fetch
from leitstand.words import msg

# What an index takes of half precision.
MOST_NUMBERS = 4_000
BYTES_A_NUMBER, BYTES_BESIDE = 32, 1_000_000
REFUSED, BUSY = frozenset({400, 401, 403, 404, 413, 422}), 429

Vectors = list[list[float]]


def embed(engine: Engine, target: Target, texts: Sequence[str], *, asker: Asker, seconds: float) -> Vectors:
    """A vector of length 1 for each text, where the plan has room, and keep what it cost; no transaction is open meanwhile.

    Raises:
        LimitReached: the plan's tokens of the month are used up.
        InvalidInput: the endpoint refuses the key, the model or the texts.
        TooManyRequests: it wants to be asked later.
        Unavailable: it is away, slow, rests, or answers something else.
    """
    with transaction(engine) as session:
        require_room(session, asker.workspace_id, "model_tokens_a_month")
    breaker.check(target.endpoint_id, target.name)
    began, spent = time.monotonic(), Spent()
    found: Vectors = []
    try:
        found, spent = _asked(target, texts, seconds)
        breaker.answered(target.endpoint_id)
    except Unavailable:
        breaker.failed(target.endpoint_id)
        raise
    finally:
        took = round((time.monotonic() - began) * 1000)
        with transaction(engine) as session:
            record(session, target=target, asker=asker, spent=spent, succeeded=bool(found), milliseconds=took)
    return found


def _asked(target: Target, texts: Sequence[str], seconds: float) -> tuple[Vectors, Spent]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if target.key:
        headers["Authorization"] = f"Bearer {target.key}"
    answer = fetch(
        f"{target.base_url.rstrip('/')}/embeddings",
        method="POST",
        headers=headers,
        body=json.dumps({"model": target.model, "input": list(texts), "encoding_format": "float"}).encode(),
        seconds=seconds,
        most_bytes=BYTES_BESIDE + BYTES_A_NUMBER * MOST_NUMBERS * len(texts),
        redirects=0,
    )
    if not answer.ok:
        raise _refusal(target, answer)
    document = answer.document()
    return _vectors(target, document, len(texts)), _spent(document, texts)


def _refusal(target: Target, answer: Answer) -> LeitstandError:
    said = msg("The endpoint {name} answers {status}.", name=target.name, status=answer.status)
    if answer.status in REFUSED:
        return InvalidInput(
            said, hint="Check the key and the model under Settings, Integrations, Model endpoints."
        )
    return TooManyRequests(said) if answer.status == BUSY else Unavailable(said)


def _vectors(target: Target, document: dict[str, Any], count: int) -> Vectors:
    entries = document.get("data")
    try:
        found = [entry["embedding"] for entry in sorted(entries, key=lambda entry: entry["index"])]  # type: ignore[arg-type]
        vectors = [_of_length_one(vector) for vector in found]
    except (TypeError, KeyError, ValueError, OverflowError):
        vectors = []
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != count or len(lengths) != 1 or not 0 < lengths.pop() <= MOST_NUMBERS:
        raise Unavailable(
            msg("The endpoint {name} answers with something else than vectors.", name=target.name)
        )
    return vectors


def _of_length_one(vector: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(float(number) ** 2 for number in vector))
    if not math.isfinite(length) or length == 0:
        raise ValueError(length)
    return [float(number) / length for number in vector]


def _spent(document: dict[str, Any], texts: Sequence[str]) -> Spent:
    usage = document.get("usage")
    told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 2**31:
        return Spent(told, 0)
    return Spent(estimated(*texts), 0)
