"""Retrieval beside its baselines, and its speed in a large space: `./run bench query`."""
