"""Connections to the outside: webhooks and model endpoints, each with its state and last check."""
