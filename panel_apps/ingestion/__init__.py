"""Ingestion: event files and documents that came in, what was refused or failed and why, and the work behind them."""
