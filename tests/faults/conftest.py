"""The source fixture: a durable cluster that archives its log."""

from tests.pgbackrest import pgbackrest_rig
from tests.source import source

__all__ = ["pgbackrest_rig", "source"]
