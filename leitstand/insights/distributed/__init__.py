"""The facts read from their columnar copy by a Spark cluster, and what changed since from PostgreSQL."""
