"""A chat model of a provider, by its name; the provider's key stays in a file."""
