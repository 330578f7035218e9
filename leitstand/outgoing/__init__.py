"""Requests to addresses that people give us: to public ones only, encrypted, and with limits."""
