"""Whether a journal is whole."""
