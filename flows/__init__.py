"""Prefect flows: they order core calls and own retries; they compute nothing themselves."""
