"""The database: engine, transactions, models and migrations."""
