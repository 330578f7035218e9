"""The facts read from their columnar copy with DuckDB, and what changed since from PostgreSQL."""
