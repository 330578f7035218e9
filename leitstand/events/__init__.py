"""The ledger of events: validation, deduplication, refusals, imports, and the facts kept from it."""
