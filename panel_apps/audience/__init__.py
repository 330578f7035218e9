"""Audience: who is active, who is new, who comes back, and with which companion."""
