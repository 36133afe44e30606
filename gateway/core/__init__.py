"""Resilience primitives: standard library only, no I/O, no asyncio; the clock and randomness are arguments."""
