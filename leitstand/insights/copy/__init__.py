"""The columnar copy of the facts: Parquet on object storage, kept by a copier. See docs/decisions/0013."""
