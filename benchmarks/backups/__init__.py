"""Backups and restores of PostgreSQL beside the bare tools: `./run bench backups`."""
