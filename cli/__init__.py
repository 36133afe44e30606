"""The `firebreak` command."""
