"""SmolLM2 with 135 million parameters: a small language model that runs in the service itself."""
