"""Companion: one companion's traffic, funnel and people, and the versions of its flow compared."""
