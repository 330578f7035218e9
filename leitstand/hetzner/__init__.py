"""Hetzner as code: what an environment is made of, what that would change and cost, and making it."""
