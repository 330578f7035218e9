"""The no-container default: PostgreSQL, object storage and the supervision of every service."""
