"""The embedded environment's PostgreSQL: the same cluster that drills and restores use."""

from leitstand.db.cluster import (
    CONFIGURATION,
    EXTENSIONS,
    OUTPUT_SHOWN,
    PROGRAMS,
    SUPERUSER,
    Cluster,
    bin_dir,
    unprivileged,
)

__all__ = [
    "CONFIGURATION",
    "EXTENSIONS",
    "OUTPUT_SHOWN",
    "PROGRAMS",
    "SUPERUSER",
    "Cluster",
    "bin_dir",
    "unprivileged",
]
