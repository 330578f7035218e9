"""The queue on PostgreSQL: jobs are enqueued in the transaction that needs them and run by the worker."""
