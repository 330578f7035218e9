"""Logs, metrics and traces: one request id through every service, job and flow."""
