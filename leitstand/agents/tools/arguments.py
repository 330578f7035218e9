"""A model's arguments, checked before anything is asked."""

import json
from collections.abc import Mapping
from typing import Any

from leitstand.agents.tools.schemas import can_be_kept
from leitstand.catalogue.kinds.control import fault_of
from leitstand.errors import InvalidInput
from leitstand.words import msg

MOST_BYTES = 64_000
SHORTENED = 300
MOST_SHOWN = 30


def read(raw: str) -> dict[str, Any]:
    """The arguments as a model writes them; nothing is none.

    Raises:
        InvalidInput: they are no JSON object, too long, or hold what can't be kept.
    """
    if len(raw.encode(errors="surrogatepass")) > MOST_BYTES:
        raise InvalidInput(msg("The arguments are longer than {most:,} bytes.", most=MOST_BYTES))
    try:
        found = json.loads(raw.strip() or "{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The arguments are not JSON.", hint="Give one JSON object.") from error
    if not isinstance(found, dict):
        raise InvalidInput("The arguments are no JSON object.", hint="Give one JSON object.")
    return found


def checked(parameters: Mapping[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, as they fit the schema.

    Raises:
        InvalidInput: they do not; the model can read why.
    """
    if not can_be_kept(arguments):
        raise InvalidInput("The arguments hold characters that no text has.")
    if fault := fault_of(dict(parameters), arguments, most_bytes=MOST_BYTES, placed=True):
        raise InvalidInput(msg("The arguments do not fit: {fault}.", fault=fault))
    return arguments


def shortened(value: Any) -> Any:
    """Arguments as the audit log keeps them: long texts cut, long lists and objects by their beginning."""
    if isinstance(value, str):
        return value if len(value) <= SHORTENED else f"{value[: SHORTENED - 1]}…"
    if isinstance(value, dict):
        return {str(shortened(name)): shortened(one) for name, one in list(value.items())[:MOST_SHOWN]}
    if isinstance(value, list):
        return [shortened(one) for one in value[:MOST_SHOWN]]
    return value


def _no_number(name: str) -> float:
    raise ValueError(name)
