"""Who takes the money: people, by hand, or Stripe."""

from leitstand.billing.providers.base import Provider
from leitstand.settings import Settings


def provider_for(settings: Settings) -> Provider:
    """The provider that the settings choose: Stripe where there is a key for it, else by hand."""
    if settings.stripe_secret_key.get_secret_value():
        from leitstand.billing.providers.stripe import Stripe

        return Stripe(settings)
    from leitstand.billing.providers.manual import Manual

    return Manual()
