"""What the journal tells: calls, sessions, runs."""
