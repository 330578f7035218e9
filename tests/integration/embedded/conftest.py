"""The small environment whose secrets are rotated."""

from tests.rotating import monkeypatch_module, rotating

__all__ = ["monkeypatch_module", "rotating"]
