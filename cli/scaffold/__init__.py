"""Makes a new service: its folder from templates, its environment, its grant, and its entry in the configuration."""
