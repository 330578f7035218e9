"""What tests of signing in share."""

from tests.identity_provider import provider

__all__ = ["provider"]
