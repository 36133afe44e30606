"""Who calls, and for whom: bearer tokens, client certificates and session tokens.

`make_identity` is the way in; the rest is for its tests.
"""

from gateway.adapters.identity.make import MadeIdentity, make_identity

__all__ = ["MadeIdentity", "make_identity"]
