"""Backups of PostgreSQL, objects and secrets: made, encrypted, catalogued, verified, restored."""
