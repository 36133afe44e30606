"""Proof that what is configured is in force: probes of services, and of what the gateway itself promises."""
