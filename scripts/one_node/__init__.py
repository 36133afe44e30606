"""A real Kubernetes of one node, for tests: how its programs are built, and what runs on the node."""
