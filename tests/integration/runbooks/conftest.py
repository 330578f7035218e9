"""The source fixture: a durable cluster that archives its log."""

from tests.source import source

__all__ = ["source"]
