"""Rates that several gateways share: a token bucket for each name in one Redis."""
