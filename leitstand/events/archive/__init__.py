"""Old months of events as Parquet on object storage, still counted once. See docs/decisions/0017."""
