"""Local mode's own issuer: keys, certificates and short-lived tokens for one machine, all under one folder.

Everything is made on first use, readable by this user only, replaced in one step, and renewed by `rotate`:

    identity/users/{key,jwks}.json      issuer https://users.firebreak.local
    identity/services/{key,jwks}.json   issuer https://services.firebreak.local
    identity/session-keys/KID.json      for the gateway's session tokens
    identity/ca.{crt,key}, gateway.{crt,key}, developer.{crt,key}
    identity/tokens/NAME.token          one token for each user
    identity/services-tokens/NAME/token one token for each service, in a folder that can be shown to its sandbox alone
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from cli.local import certificates
from cli.local.certificates import Certified
from cli.local.private_files import make_private_folder, read_private, write_private

AUDIENCE = "firebreak"
TRUST_DOMAIN = "firebreak.local"
TOKEN_LIFE = 3600.0
"""Seconds that a token is good for."""
TOKEN_RENEWAL = 1200.0
"""Seconds after which `rotate` writes a new one: whoever reads its file has one that is good for at least 40 minutes."""
_DAY = 86400.0
_SESSION_KEY_TURN = _DAY
_SESSION_KEY_LIFE = 3 * _DAY
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_KID_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class LocalIssuer:
    """One of the two issuers: `folder` under identity/ and the `iss` of its tokens."""

    folder: str
    issuer: str


USERS = LocalIssuer("users", f"https://users.{TRUST_DOMAIN}")
SERVICES = LocalIssuer("services", f"https://services.{TRUST_DOMAIN}")


class LocalIdentity:
    """The identity files under `state`. `wall` is Unix time."""

    def __init__(self, state: Path, wall: Callable[[], float] = time.time) -> None:
        self._identity = state / "identity"
        self._tokens = self._identity / "tokens"
        self._services = self._identity / "services-tokens"
        self._wall = wall
        self._issued: dict[tuple[LocalIssuer, str], float] = {}

    def ensure(self) -> None:
        """Makes what is missing, unusable or due for renewal; leaves the rest as it is. Raises OSError."""
        folders = [self._identity / name for name in (USERS.folder, SERVICES.folder, "session-keys")]
        for folder in (self._identity, *folders, self._tokens, self._services):
            make_private_folder(folder)
        for issuer in (USERS, SERVICES):
            self._signing_key(issuer)
        self._turn_session_keys()
        self._ensure_certificates()

    def issue_user(self, name: str) -> Path:
        """Writes a token for the principal "user:NAME" and keeps it fresh; answers its file. Raises ValueError, OSError."""
        return self._issue(USERS, name)

    def issue_service(self, name: str) -> Path:
        """Writes a token for the principal "service:NAME" and keeps it fresh; answers its file. Raises ValueError, OSError."""
        return self._issue(SERVICES, name)

    def withdraw(self, name: str) -> None:
        """Removes the token of the service `name` and renews it no more. Raises OSError."""
        self._issued.pop((SERVICES, name), None)
        self.service_token(name).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.service_token(name).parent.rmdir()

    def service_token(self, name: str) -> Path:
        """Where the token of the service `name` is, or will be."""
        return self._services / name / "token"

    def rotate(self) -> None:
        """Renews what is due; to be called every minute or so. Raises OSError."""
        self.ensure()
        for (issuer, name), issued in list(self._issued.items()):
            # A clock that was set back counts too: such a token is not valid yet.
            if not 0 <= self._wall() - issued < TOKEN_RENEWAL:
                self._issue(issuer, name)

    def _issue(self, issuer: LocalIssuer, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name: lower-case letters, digits and dashes, at most 63 characters")
        file = self._tokens / f"{name}.token" if issuer is USERS else self.service_token(name)
        make_private_folder(file.parent)
        now = self._wall()
        write_private(file, self._token(issuer, name, now).encode())
        self._issued[issuer, name] = now
        return file

    def _token(self, issuer: LocalIssuer, name: str, now: float) -> str:
        key = self._signing_key(issuer)
        begin = int(now)
        claims = {
            "iss": issuer.issuer,
            "aud": AUDIENCE,
            "sub": name,
            "iat": begin,
            "nbf": begin,
            "exp": begin + int(TOKEN_LIFE),
            "jti": secrets.token_hex(8),
        }
        return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])

    def _signing_key(self, issuer: LocalIssuer) -> ECKey:
        """The issuer's key, made if need be; its public part is published beside it."""
        folder = self._identity / issuer.folder
        key = _ec_key(read_private(folder / "key.json"))
        if key is None:
            key = ECKey.generate_key("P-256", auto_kid=True)
            write_private(folder / "key.json", orjson.dumps(key.as_dict(private=True)))
        public = orjson.dumps({"keys": [key.as_dict(private=False, use="sig", alg="ES256")]})
        if read_private(folder / "jwks.json") != public:
            write_private(folder / "jwks.json", public)
        return key

    def _turn_session_keys(self) -> None:
        """A new key each day; an old one goes when tokens that it signed have been dead for long."""
        now, folder = self._wall(), self._identity / "session-keys"
        ages = {path: now - made for path in folder.glob("*.json") if (made := _made_at(path)) is not None}
        if not ages or min(ages.values()) >= _SESSION_KEY_TURN:
            # Key ids sort by age: the gateway signs with the greatest.
            kid = f"{certificates.utc(now).strftime(_KID_TIME)}-{secrets.token_hex(4)}"
            key = OctKey.generate_key(256, {"kid": kid, "use": "sig", "alg": "HS256"})
            write_private(folder / f"{kid}.json", orjson.dumps(key.as_dict()))
        for path, age in ages.items():
            if age >= _SESSION_KEY_LIFE:
                path.unlink(missing_ok=True)

    def _ensure_certificates(self) -> None:
        now = certificates.utc(self._wall())
        ca = self._load("ca")
        if ca is None or ca.due(now):
            ca = certificates.authority(now)
            self._save("ca", ca)
        for name, path, make in (
            ("gateway", "gateway", certificates.server),
            ("developer", "user/developer", certificates.client),
        ):
            leaf = self._load(name)
            if leaf is None or leaf.due(now) or not certificates.signed_by(ca, leaf):
                self._save(name, make(ca, f"spiffe://{TRUST_DOMAIN}/{path}", now))

    def _load(self, name: str) -> Certified | None:
        return certificates.load(*(read_private(self._identity / f"{name}.{end}") for end in ("crt", "key")))

    def _save(self, name: str, pair: Certified) -> None:
        write_private(self._identity / f"{name}.key", pair.key_pem)
        write_private(self._identity / f"{name}.crt", pair.certificate_pem)


def _ec_key(raw: bytes | None) -> ECKey | None:
    try:
        key = ECKey.import_key(orjson.loads(raw or b""))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if key.is_private and key.kid and key.curve_name == "P-256" else None


def _made_at(path: Path) -> float | None:
    """Unix time at which this session key was made, by its name; None for an unusable file or one of another's making."""
    try:
        made = datetime.strptime(path.stem.partition("-")[0], _KID_TIME).replace(tzinfo=UTC).timestamp()
        OctKey.import_key(orjson.loads(read_private(path) or b""))
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return made
