"""Two issuers of tokens: the cluster's, for service accounts, and one for people. Both sign with RSA, as API servers do."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass(frozen=True)
class Issuer:
    """Its name is the `iss` of its tokens."""

    name: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, auto_kid=True))

    @property
    def jwks(self) -> str:
        """The public keys, as JSON text."""
        return json.dumps({"keys": [self.key.as_dict(private=False, use="sig", alg="RS256")]})

    def token(self, subject: str, audience: str, seconds: int) -> str:
        """A token that is good from now on for so many seconds."""
        now = int(time.time())
        claims = {"iss": self.name, "aud": [audience], "sub": subject, "iat": now, "nbf": now, "exp": now + seconds}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key, algorithms=["RS256"])
