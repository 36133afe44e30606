"""The Firebreak gateway: authenticates, authorizes, bounds and records every call between agents, tools and models."""
