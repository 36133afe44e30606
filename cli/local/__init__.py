"""Local mode: identities, and the processes of the gateway and every service on one machine."""
