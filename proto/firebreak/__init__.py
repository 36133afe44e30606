"""Firebreak's gRPC contract (`firebreak.v1`) and a thin client for it (`firebreak.client`)."""
