"""A tool that reads pages of the web: of the hosts that it is allowed, and of no other."""
