"""What of a call's bytes is kept, how it is masked, and how it is read again."""
