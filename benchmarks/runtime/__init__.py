"""Visitors who go through a companion's flow, and people who ask, beside a bare endpoint: `./run bench runtime`."""
