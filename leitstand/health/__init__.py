"""The state of every service."""
